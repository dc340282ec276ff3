"""The vault's envelope: what is sealed opens in its own place only."""

import pytest

from services.intake.vault import Place, Profile, Vault, VaultError

PLACE = Place("identities", "p1", "phone")


@pytest.mark.parametrize("profile", ["A256GCM", "SM4GCM"])
def test_what_is_sealed_opens_again(profile: Profile) -> None:
    vault = Vault(b"k" * 32, profile)
    key, wrapped = vault.new_key("person")
    sealed = vault.seal(key, "王小明", PLACE)
    assert sealed["a"] == wrapped["a"] == profile
    assert "王小明".encode() not in sealed["c"]
    assert vault.open(vault.unwrap(wrapped, "person"), sealed, PLACE) == "王小明"


@pytest.mark.parametrize("profile", ["A256GCM", "SM4GCM"])
@pytest.mark.parametrize(
    "elsewhere", [Place("identities", "p2", "phone"), Place("identities", "p1", "name"), Place("other", "p1", "phone")]
)
def test_it_does_not_open_in_another_place(profile: Profile, elsewhere: Place) -> None:
    vault = Vault(b"k" * 32, profile)
    key, _ = vault.new_key("person")
    with pytest.raises(VaultError):
        vault.open(key, vault.seal(key, "x", PLACE), elsewhere)


@pytest.mark.parametrize("profile", ["A256GCM", "SM4GCM"])
def test_a_changed_value_a_foreign_key_and_a_foreign_subject_do_not_open(profile: Profile) -> None:
    vault = Vault(b"k" * 32, profile)
    key, wrapped = vault.new_key("person")
    sealed = vault.seal(key, "x", PLACE)
    changed = {**sealed, "c": bytes([sealed["c"][0] ^ 1]) + sealed["c"][1:]}
    with pytest.raises(VaultError):
        vault.open(key, changed, PLACE)
    with pytest.raises(VaultError):
        Vault(b"o" * 32, profile).unwrap(wrapped, "person")
    with pytest.raises(VaultError):
        vault.unwrap(wrapped, "another")


def test_a_vault_reads_what_the_other_profile_wrote() -> None:
    old = Vault(b"k" * 32, "A256GCM")
    key, wrapped = old.new_key("person")
    sealed = old.seal(key, "x", PLACE)
    new = Vault(b"k" * 32, "SM4GCM")
    assert new.open(new.unwrap(wrapped, "person"), sealed, PLACE) == "x"


def test_two_seals_of_one_value_differ() -> None:
    vault = Vault(b"k" * 32)
    key, _ = vault.new_key("person")
    assert vault.seal(key, "x", PLACE) != vault.seal(key, "x", PLACE)
