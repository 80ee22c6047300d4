"""Refusals of mending a refused document."""

from chassis.errors import DomainError


class MendedRowNeeded(DomainError):
    """{document} is no row yet: send it mended, as JSON, or mend its file and import that again."""

    chinese = "{document} 尚不是一行有效数据；请以 JSON 发送更正后的内容，或更正文件后重新导入。"
