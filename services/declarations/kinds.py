"""Lists the kinds of asset that the register may keep in one table: each room says what its own assets are worth."""

from services.declarations.assets.pool import assets as pool_assets
from services.declarations.assets.rebate import assets as rebate_assets
from services.declarations.assets.sale import assets as sale_assets
from services.declarations.register.kind import Kind, Kinds
from services.declarations.register.preshipment import assets as preshipment_assets
from services.declarations.window.declaration import assets as declaration_assets

KINDS: Kinds = {
    "declarations": Kind(
        load=declaration_assets.load,
        parts=sale_assets.parts_of_declaration,
        tell_settled=declaration_assets.tell_settled,
        not_found=declaration_assets.not_found,
        is_insurable=True,
    ),
    "preShipments": preshipment_assets.KIND,
    "rebates": rebate_assets.KIND,
    "pools": pool_assets.KIND,
    "warehouseSales": sale_assets.KIND,
}
