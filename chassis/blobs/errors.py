"""Why a blob isn't taken: one class per reason, its docstring the message."""

import grpc

from chassis.errors import DomainError


class BlobTooLarge(DomainError):
    """The blob has more than {limit} bytes, which is the most; send it in several, or smaller."""

    chinese = "文件超过 {limit} 字节的上限；请拆分或缩小后再上传。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class BlobsFull(DomainError):
    """The blobs of {owner} would have more than {limit} bytes together; free what isn't needed any more."""

    chinese = "{owner} 的文件合计将超过 {limit} 字节；请先清理不再需要的文件。"


class UploadIncomplete(DomainError):
    """The upload ended before its last part, which has the SHA-256 of the whole; send it again from the beginning."""

    chinese = "上传在最后一部分（含整个文件的 SHA-256）之前结束；请从头重新上传。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class UploadLate(DomainError):
    """No part of the upload came within {seconds} seconds; send it again from the beginning, without such pauses."""

    chinese = "{seconds} 秒内未收到上传的下一部分；请从头重新上传，中途不要停顿。"
    code = grpc.StatusCode.DEADLINE_EXCEEDED
