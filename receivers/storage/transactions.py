"""Writes entities of a table in one transaction, as Table Storage's REST API has it.

The client library can do it too, but takes half a millisecond for each entity and lets nothing else run meanwhile. This
takes a fifth of that.
https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from receivers.storage.account import calling, refusal

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient

BATCH, CHANGES = "batch_of_this_service", "changes_of_this_service"
ACCEPTED = 202
HEADERS = {
    "Content-Type": f"multipart/mixed; boundary={BATCH}",
    "Accept": "application/json",
    "DataServiceVersion": "3.0",
    "MaxDataServiceVersion": "3.0;NetFx",
}
_ETAG = re.compile(rb"(?im)^etag: *([^\r\n]+)")
_FAILURE = re.compile(rb"HTTP/1\.1 ([45]\d\d) ([^\r\n]*)")


class _Change(NamedTuple):
    method: str
    entity: Mapping[str, Any]
    if_match: str = ""


async def merge(table: "TableClient", entities: Sequence[Mapping[str, Any]]) -> None:
    """Insert entities of one partition, or merge them into those that are there: all or none.

    Keys must not need escaping, and properties must be texts or small integers. Raises :class:`StorageError`.
    """
    await _submit(table, [_Change("PATCH", entity) for entity in entities])


async def replace(table: "TableClient", entities: Sequence[tuple[Mapping[str, Any], str]]) -> list[str]:
    """The same where nobody else has written them since: each has the ETag of its last state, or "" to be inserted.

    Returns the new ETags, or none where they are not told. Raises StorageError of status 404, 409 or 412 where
    somebody has.
    """
    content = await _submit(
        table, [_Change("PATCH" if etag else "POST", entity, if_match=etag) for entity, etag in entities]
    )
    etags = [etag.decode() for etag in _ETAG.findall(content)]
    return etags if len(etags) == len(entities) else []


async def delete(table: "TableClient", entities: Sequence[Mapping[str, Any]]) -> None:
    """Delete entities of one partition, all or none. Raises :class:`StorageError`."""
    await _submit(table, [_Change("DELETE", entity, if_match="*") for entity in entities])


async def _submit(table: "TableClient", changes: Sequence["_Change"]) -> bytes:
    from azure.core.rest import HttpRequest  # noqa: PLC0415 - loaded with the client

    service = table.url.partition("?")[0].rstrip("/")
    request = HttpRequest(
        "POST",
        f"{service}/$batch",
        headers={"x-ms-version": table.api_version, **HEADERS},
        content=_body(f"{service}/{table.table_name}", changes),
    )
    async with calling():
        # The library's own way to authenticate; a stream, because it can read no parts.
        response = await table._client.send_request(request, stream=True)  # noqa: SLF001 - there is no public way
        content = await response.read()
    if response.status_code != ACCEPTED:
        raise refusal(f"{response.status_code} {response.reason}", status=response.status_code)
    if failure := _FAILURE.search(content):
        raise refusal(b" ".join(failure.groups()).decode(errors="replace"), status=int(failure[1]))
    return content


def _body(url: str, changes: Sequence["_Change"]) -> bytes:
    parts = [f"--{BATCH}\r\nContent-Type: multipart/mixed; boundary={CHANGES}\r\n\r\n".encode()]
    for change in changes:
        entity = change.entity
        key = f"PartitionKey='{entity['PartitionKey']}',RowKey='{entity['RowKey']}'"
        parts.append(
            f"--{CHANGES}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            f"{change.method} {url if change.method == 'POST' else f'{url}({key})'} HTTP/1.1\r\n"
            f"{f'If-Match: {change.if_match}\r\n' if change.if_match else ''}"
            f"{'Prefer: return-no-content\r\n' if change.method == 'POST' else ''}"
            "Content-Type: application/json\r\nAccept: application/json;odata=nometadata\r\n\r\n".encode()
        )
        parts.append(b"\r\n" if change.method == "DELETE" else _ascii(entity) + b"\r\n")
    parts.append(f"--{CHANGES}--\r\n--{BATCH}--\r\n".encode())
    return b"".join(parts)


def _ascii(entity: Mapping[str, Any]) -> bytes:
    """JSON without any letter beyond ASCII: who splits the parts into lines may take U+2028 or U+0085 for an end."""
    text = msgspec.json.encode(entity)
    return text if text.isascii() else json.dumps(entity).encode()
