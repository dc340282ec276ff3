"""The list of accounts that may no longer sign in: in whatever form it was saved, it opens no door."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.access import demo_principal
from shared.clock import FixedClock
from shared.deactivated import DeactivatedFile
from shared.problem import Problem
from tests.unit.shared.test_access import NOW, ask, client_of, make_access, signed

pytestmark = pytest.mark.usefixtures("unbound_logs")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


def test_a_deactivated_account_is_refused(clock: FixedClock, tmp_path: Path) -> None:
    listed = tmp_path / "deactivated.txt"
    deactivated = DeactivatedFile(listed)
    access = make_access(clock)
    access._deactivated = deactivated
    client = client_of(access)
    assert ask(client, signed())[0] == 200
    listed.write_text("# left\na1\n")
    assert ask(client, signed()) == (401, "account-deactivated")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_the_first_account_of_the_list_is_refused_too(clock: FixedClock, tmp_path: Path, encoding: str) -> None:
    listed = tmp_path / "deactivated.txt"
    listed.write_text("a1\n", encoding=encoding)
    access = make_access(clock)
    access._deactivated = DeactivatedFile(listed)
    assert ask(client_of(access), signed()) == (401, "account-deactivated")


UNREADABLE = [
    "a1\n# 王某已离职\n".encode("gbk"),
    "a1\n".encode("utf-16"),
    "a1\n".encode("utf-16-le"),
]


@pytest.mark.parametrize("bad", UNREADABLE)
def test_a_list_that_cannot_be_read_leaves_the_last_good_one_in_force(tmp_path: Path, bad: bytes) -> None:
    listed = tmp_path / "deactivated.txt"
    listed.write_text("a1\n")
    deactivated = DeactivatedFile(listed)
    assert deactivated() == {"a1"}
    listed.write_bytes(bad)
    with capture_logs() as logs:
        assert deactivated() == deactivated() == {"a1"}
    assert [(line["event"], line["reason"]) for line in logs] == [("deactivated_unreadable", "is not UTF-8 text")]
    assert "王" not in str(logs)
    assert "xcd" not in str(logs)
    listed.write_text("a2\n")
    assert deactivated() == {"a2"}
    listed.unlink()
    assert deactivated() == frozenset()


@pytest.mark.parametrize("bad", UNREADABLE)
def test_with_a_list_that_could_never_be_read_nobody_signs_in(clock: FixedClock, tmp_path: Path, bad: bytes) -> None:
    listed = tmp_path / "deactivated.txt"
    listed.write_bytes(bad)
    access = make_access(clock)
    access._deactivated = DeactivatedFile(listed)
    client = client_of(access)
    assert ask(client, signed()) == (503, "deactivated-unreadable")
    signed_in = replace(demo_principal("duty_officer"), session_ends=NOW + timedelta(hours=1))
    assert not access.stands(signed_in)
    listed.write_text("# nobody\n")
    assert ask(client, signed())[0] == 200
    assert access.stands(signed_in)


def test_a_list_in_the_place_of_a_directory_closes_the_sign_in(tmp_path: Path) -> None:
    (tmp_path / "deactivated.txt").mkdir()  # as Docker makes one where a file to mount is missing
    with pytest.raises(Problem, match="list of deactivated accounts"):
        DeactivatedFile(tmp_path / "deactivated.txt")()


def test_a_list_whose_place_cannot_be_looked_at_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    listed = tmp_path / "deactivated.txt"
    listed.write_text("a1\n")
    deactivated = DeactivatedFile(listed)
    assert deactivated() == {"a1"}
    listed.unlink()
    listed.symlink_to(listed)
    with capture_logs() as logs:
        assert deactivated() == deactivated() == {"a1"}
    assert [line["event"] for line in logs] == ["deactivated_unreadable"]
    with pytest.raises(Problem, match="list of deactivated accounts"):
        DeactivatedFile(listed)()
    listed.unlink()
    assert deactivated() == frozenset()


def test_who_was_let_in_is_asked_about_again_and_stays_while_nobody_can_tell(clock: FixedClock, tmp_path: Path) -> None:
    listed = tmp_path / "deactivated.txt"
    access = make_access(clock)
    access._deactivated = DeactivatedFile(listed)
    who = replace(demo_principal("duty_officer"), account="a1")
    assert not access.is_deactivated(who)
    listed.write_text("a1\n")
    assert access.is_deactivated(who)
    listed.write_bytes(UNREADABLE[0])
    assert access.is_deactivated(who)
    access._deactivated = DeactivatedFile(listed)
    assert not access.is_deactivated(who)
