"""JSON is read by the rules of Go's encoding/json. test_conformance.py holds the same rules for every sender."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from receivers import limits
from receivers.events import Malformed
from receivers.wire.go_json import Reader, member_names, read


class Commit(msgspec.Struct, frozen=True):
    """An object within another."""

    id: str = ""


class Push(msgspec.Struct, rename="camel", frozen=True):
    """One field of every kind that a payload may have."""

    repo_name: str = ""
    total: int = 0
    draft: bool = False
    head: Commit = Commit()
    commits: list[Commit] = []
    labels: dict[str, Any] = {}
    tags: list[str] = []
    parents: list["Push"] = []
    either: list[str] | dict[str, str] | str | None = None
    sizes: dict[str, dict[str, Commit]] = {}


PUSH = Reader(Push)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("null", Push()),
        ("{}", Push()),
        (' \r\n\t{"repoName": "a"}\n', Push(repo_name="a")),
        ('{"REPONAME": "a"}', Push(repo_name="a")),
        ('{"repoName": "a", "reponame": "b"}', Push(repo_name="b")),
        ('{"repoName": "a", "repoName": null}', Push(repo_name="a")),
        ('{"repo_name": "a"}', Push()),
        ('{"head": {"ID": "1"}}', Push(head=Commit("1"))),
        ('{"head": {"id": "1"}, "head": {"id": "2"}}', Push(head=Commit("2"))),
        ('{"commits": [null, {"Id": "1"}, {}]}', Push(commits=[Commit("1"), Commit()])),
        ('{"commits": null}', Push()),
        ('{"tags": ["a", null]}', Push(tags=["a"])),
        ('{"labels": {"Key": "a", "key": [{"Deep": null}]}}', Push(labels={"Key": "a", "key": [{"Deep": None}]})),
        ('{"parents": [{"REPONAME": "a"}]}', Push(parents=[Push(repo_name="a")])),
        ('{"either": ["a", null]}', Push(either=["a"])),
        ('{"either": {"\\ud83d": "a"}}', Push(either={"\ufffd": "a"})),
        ('{"either": "a"}', Push(either="a")),
        ('{"sizes": {"A": {"B": {"ID": "1", "other": []}}}}', Push(sizes={"A": {"B": Commit("1")}})),
        ('{"total": 7, "draft": true}', Push(total=7, draft=True)),
        ('{"total": 999999999999999999}', Push(total=999_999_999_999_999_999)),
        ('{"repoName": "\\ud83d\\ude80"}', Push(repo_name="🚀")),
        ('{"repoName": "\\ude80\\ud83d"}', Push(repo_name="\ufffd\ufffd")),
        ('{"labels": {"\\ud83d": 1}}', Push(labels={"\ufffd": 1})),
    ],
)
def test_a_body_is_read_as_go_reads_it(body: str, expected: Push) -> None:
    assert PUSH.decode(body.encode()) == expected


@pytest.mark.parametrize(
    "body",
    [
        '{"total": "7"}',
        '{"total": 7.5}',
        '{"total": 9999999999999999999}',
        '{"total": true}',
        '{"draft": 1}',
        '{"head": []}',
        '{"head": "1"}',
        '{"commits": {}}',
        '{"commits": [[]]}',
        '{"labels": []}',
        '{"tags": "a"}',
        '{"repoName": ["a"]}',
        '{"repoName": {"a": "b"}}',
        '{"either": [["a"]]}',
        '{"either": {"a": {}}}',
    ],
)
def test_a_wrong_type_is_malformed(body: str) -> None:
    with pytest.raises(Malformed, match="invalid request body"):
        PUSH.decode(body.encode())


def test_untyped_parts_nested_too_deeply_are_malformed() -> None:
    depth = 3_000
    with pytest.raises(Malformed, match="invalid request body"):
        PUSH.decode(('{"labels": {"a": ' + "[" * depth + "]" * depth + "}}").encode())


def test_a_part_of_a_document_fits_a_model_of_its_own() -> None:
    document = read(b'[{"id": "1", "repoName": "a"}]')
    assert isinstance(document, list)
    assert Reader(Commit).fit(document[0]) == Commit("1")
    assert PUSH.fit(document[0]) == Push(repo_name="a")


def test_only_an_object_has_members() -> None:
    assert member_names(read(b'{"specVersion": 1, "ID": 2}')) == {"specversion", "id"}
    assert member_names(read(b'[["id", 1]]')) == frozenset()
    assert member_names(read(b'"id"')) == frozenset()


def test_a_body_of_more_values_than_any_sender_sends_is_refused_before_it_is_read() -> None:
    most = b"[" + b",".join([b"1"] * limits.VALUES) + b"]"
    assert read(most) == [1] * limits.VALUES
    with pytest.raises(Malformed):
        read(most[:-1] + b",1,1]")


@pytest.mark.parametrize(
    "annotation",
    [
        tuple[str, ...],
        set[str],
        dict[int, str],
        bytes,
        datetime,
        list[frozenset[str]],
        Commit | dict[str, str],
        list[str] | list[Commit],
        list[Commit] | Any,
    ],
)
def test_a_field_that_go_would_read_otherwise_is_refused_when_its_module_is_imported(annotation: object) -> None:
    with pytest.raises(TypeError):
        Reader(msgspec.defstruct("Payload", [("field", annotation)]))


def test_two_fields_that_differ_in_case_alone_are_refused_when_their_module_is_imported() -> None:
    with pytest.raises(TypeError, match="two fields"):
        Reader(msgspec.defstruct("Payload", [("name", str), ("Name", str)]))
