"""Why a file of a dated table is refused, in both languages."""

from collections.abc import Mapping

from chassis.errors import Problem

_TEXTS: Mapping[str, tuple[str, str]] = {
    "TABLE_NOT_UTF8": (
        "The file isn't in UTF-8 at byte {byte}; save it in UTF-8.",
        "文件第 {byte} 字节处不是 UTF-8 编码；请另存为 UTF-8。",
    ),
    "TABLE_INCOMPLETE": (
        "The file says that it has {said} rows, and has {rows}; fetch it again whole.",
        "文件注明 {said} 行，实有 {rows} 行；请重新获取完整文件。",
    ),
    "TABLE_DIGEST_DIFFERS": (
        "The file says that its SHA-256 is {said}, and its rows give {digest}; fetch it again whole.",
        "文件注明的 SHA-256 为 {said}，实为 {digest}；请重新获取完整文件。",
    ),
    "TABLE_UNKNOWN": (
        "There is no table called {name}; name one of {names} in a line `# name: NAME`.",
        "没有名为 {name} 的数据表；请在 `# name: 名称` 一行中写明：{names}。",
    ),
    "TABLE_SOURCE_MISSING": (
        "Nobody says where the rows are published; add a line `# source: …`, or give --source.",
        "未注明数据来源；请加一行 `# source: …`，或用 --source 给出。",
    ),
    "TABLE_VERSION_INVALID": (
        "{version} is no version of {name}: version {newest} is in force, so the next one is {next}; leave the line out"
        " to get that.",
        "{version} 不是 {name} 的有效版本：现行版本为 {newest}，下一版本为 {next}；删去该行即自动取号。",
    ),
    "TABLE_TWICE": (
        "Several of the files are of {name}; load them one after the other.",
        "有多个文件属于 {name}；请逐个加载。",
    ),
    "TABLE_EMPTY": ("The table has no rows; fetch the file again whole.", "数据表没有任何行；请重新获取完整文件。"),
    "COLUMN_UNKNOWN": (
        "{name} has no column {column}; its columns are {columns}.",
        "{name} 没有 {column} 列；应有各列：{columns}。",
    ),
    "COLUMN_MISSING": ("The column {column} is missing; add it.", "缺少 {column} 列；请补上。"),
    "COLUMN_TWICE": ("The column {column} stands twice; keep one.", "{column} 列重复；请只保留一列。"),
    "CELLS_MISCOUNTED": (
        "The row has {cells} cells, the header {columns}; put commas and quotes right.",
        "该行有 {cells} 格，表头有 {columns} 格；请更正逗号与引号。",
    ),
    "CELL_INVALID": ("{text!r} is no {expected}; correct it.", "{text!r} 不是有效的 {column}；请更正。"),
    "PERIOD_BACKWARD": (
        "The row counts from {first}, and only to {last}; correct one of both.",
        "该行自 {first} 起生效，却至 {last} 止；请更正其一。",
    ),
    "PERIODS_OVERLAP": (
        "{code} has two rows on {day}, the other in line {other}; end the earlier one on the day before.",
        "{code} 在 {day} 有两行生效，另一行为第 {other} 行；请将较早一行的截止日改为前一日。",
    ),
    "PERIODS_HOLE": (
        "{code} has no row from {first} to {last}; add one, or let the row in line {other} count until then.",
        "{code} 自 {first} 至 {last} 没有生效的行；请补上，或延长第 {other} 行的有效期。",
    ),
    "PAST_CHANGED": (
        "The version would change what counted for {code} on {day}, a day that has passed; if that was wrong, load it"
        " with --corrects REASON.",
        "该版本将改变 {code} 在已过之日 {day} 的数据；如原数据确有错误，请加 --corrects 并写明原因。",
    ),
}


def problem(path: str, reason: str, **said: object) -> Problem:
    """Returns a problem at a path: of lines[3].value for the cell `value` of the file's third line."""
    return Problem(path, reason, *(text.format(**said) for text in _TEXTS[reason]))
