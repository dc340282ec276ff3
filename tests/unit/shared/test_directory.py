import shutil
from datetime import date
from pathlib import Path

import pytest

from shared.directory import ConfigError, Directory, UnknownCodeError, directory, directory_folder, load_directory

BEFORE, AFTER = date(2018, 12, 31), date(2019, 1, 1)


@pytest.fixture
def known() -> Directory:
    return directory()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "directory"
    shutil.copytree(directory_folder(), copy)
    return copy


def edit(path: Path, old: str, new: str) -> int:
    """Replace the first occurrence and return its line."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


class TestTopics:
    def test_the_33_topics_have_16_lead_departments_of_2011(self, known):
        assert len(known.topics) == 33
        assert len({row.lead for row in known.topics.values()}) == 16

    @pytest.mark.parametrize(
        ("topic", "before", "after"),
        [
            ("urban_construction", ("construction_bureau", "区建设局"), ("construction_bureau", "区住房和城乡建设局")),
            ("military_related", ("civil_affairs_bureau", "区民政局"), ("veterans_affairs_bureau", "区退役军人事务局")),
            (
                "rural_homestead_approval",
                ("land_resources_branch", "区国土分局"),
                ("agriculture_bureau", "区农业农村局"),
            ),
            ("only_child_policy", ("family_planning_bureau", "区计生局"), ("health_bureau", "区卫生健康局")),
            ("emergency_plan", ("emergency_office", "区应急办"), ("work_safety_bureau", "区应急管理局")),
            ("basic_education", ("education_bureau", "区教育局"), ("education_bureau", "区教育和体育局")),
        ],
    )
    def test_lead_changes_on_the_day_of_the_reform(self, known, topic, before, after):
        for day, (slug, name) in ((BEFORE, before), (AFTER, after)):
            lead = known.lead(topic, day)
            assert (lead.slug, lead.name_on(day)) == (slug, name)

    def test_no_topic_is_led_by_a_department_that_was_merged_away(self, known):
        for topic in known.topics:
            lead = known.lead(topic, AFTER)
            assert lead.merged_into is None
            assert lead.from_ is None or lead.from_ <= AFTER

    def test_a_merged_department_hands_on_even_where_the_topic_does_not_say_so(self, folder):
        edit(folder / "routing.yaml", "    later: [{from: 2019-01-01, lead: work_safety_bureau}]", "    later: []")
        assert load_directory(folder).lead("emergency_plan", AFTER).slug == "work_safety_bureau"

    def test_topic_is_found_by_slug_name_and_misprint(self, known):
        assert {known.topic(name).slug for name in ("work_safety", "安全生产", "平安消费")} == {"work_safety"}

    def test_unknown_topic_is_refused(self, known):
        with pytest.raises(UnknownCodeError, match="no_such"):
            known.topic("no_such")

    def test_lead_unit_works_for_a_county_the_file_does_not_list(self, known):
        assert known.lead_unit("basic_education", "110105", AFTER) == "110105.education_bureau"
        assert known.name("110105.education_bureau", "en") == "District Education and Sports Bureau"
        assert known.name("110105.education_bureau", on=BEFORE) == "区教育局"


class TestCodes:
    def test_levels_rise_from_village_to_central(self, known):
        levels = ["village", "town", "county", "prefecture", "province", "central"]
        assert [known.rank(level) for level in levels] == [1, 2, 3, 4, 5, 6]
        assert known.code("level", "township").slug == "town"

    def test_only_visits_and_receptions_are_face_to_face(self, known):
        faces = {slug for slug, code in known.codes["channel"].items() if code.face_to_face}
        assert faces == {"visit", "leader_reception", "leader_outreach"}

    def test_every_code_has_both_names_and_its_own_slug(self, known):
        for values in known.codes.values():
            for slug, code in values.items():
                assert code.slug == slug
                assert code.name("zh") != code.name("en")

    def test_unknown_code_names_what_is_allowed(self, known):
        with pytest.raises(UnknownCodeError, match="support, explain, reject"):
            known.code("opinion", "maybe")
        with pytest.raises(UnknownCodeError, match="no code list"):
            known.code("colour", "red")

    def test_lists_cannot_be_changed(self, known):
        with pytest.raises(TypeError):
            known.codes["level"]["moon"] = known.code("level", "county")
        with pytest.raises(ValueError, match="frozen"):
            known.code("level", "county").rank = 9


class TestUnits:
    def test_subtree_follows_the_supervising_organ_not_the_place(self, known):
        police = known.subtree("379911.public_security_branch")
        assert "379911102.police_station" in police
        assert "379911102" not in police
        assert "379911.public_security_branch" not in known.subtree("379911")
        assert "379911.public_security_branch" in known.subtree("379900")

    def test_a_unit_covers_itself_and_what_is_below(self, known):
        assert known.covers("379911", "379911")
        assert known.covers("379911", "379911102201")
        assert not known.covers("379911102201", "379911")
        assert not known.covers("379912", "379911102201")
        assert known.covers("379900.environment_bureau", "379911.environment_bureau")

    def test_covers_agrees_with_subtree_on_every_pair(self, known):
        for above in known.units:
            below = known.subtree(above)
            assert all(known.covers(above, code) == (code in below) for code in known.units)

    def test_parent_of_a_unit_that_is_not_listed_follows_from_its_code(self, known):
        assert known.ancestors("110105001002.petition_station") == ("110105001002", "110105001", "110105")
        assert known.county_of("110105001002") == "110105"

    def test_county_and_level(self, known):
        assert known.county_of("379911.environment_bureau") == "379911"
        assert known.county_of("379900.petition_bureau") is None
        assert [known.level(code) for code in ("370000", "379900", "379911", "379911001", "379911001001")] == [
            "province",
            "prefecture",
            "county",
            "town",
            "village",
        ]
        assert [known.level(code) for code in ("110000", "110100", "110105", "110105001", "110105.x1")] == [
            "province",
            "prefecture",
            "county",
            "town",
            "county",
        ]

    def test_names_in_both_languages(self, known):
        assert (known.name("379911"), known.name("379911", "en")) == ("枫溪区", "Fengxi District")
        assert known.name("nowhere") == "nowhere"

    def test_unlisted_unit_is_refused_by_unit(self, known):
        with pytest.raises(UnknownCodeError):
            known.unit("110105")

    def test_counties(self, known):
        assert known.counties() == ("379911", "379912")


class TestErrorsNameTheLine:
    @pytest.mark.parametrize(
        ("file", "old", "new", "says"),
        [
            ("routing.yaml", "lead: health_bureau, mode: lead}", "lead: moon_bureau, mode: lead}", "moon_bureau"),
            ("routing.yaml", "{slug: medical_accident", "{slug: community_health", "listed twice"),
            ("routing.yaml", "mode: lead, printed_as: 城镇建立", "mode: perhaps, printed_as: 城镇建立", "mode"),
            ("routing.yaml", "zh: 城乡建设, en:", "zh: 城乡建设, colour: red, en:", "colour"),
            ("routing.yaml", "topics: [environmental_protection]", "topics: [weather]", "weather"),
            ("routing.yaml", "department: health_bureau}", "department: moon_bureau}", "moon_bureau"),
            ("routing.yaml", "department: health_bureau}", "department: family_planning_bureau}", "merged into itself"),
            ("routing.yaml", "{times: 2, per: week}", "{times: 0, per: week}", "times"),
            ("units.yaml", 'code: "379912", level: county', 'code: "379911", level: county', "listed twice"),
            ("units.yaml", 'code: "379911001", level: town', "code: 379911001, level: town", "string"),
            ("units.yaml", "level: town, zh: 枫林镇", "level: borough, zh: 枫林镇", "borough"),
            (
                "units.yaml",
                'zh: 枫林镇, en: Fenglin Town, parent: "379911"',
                'zh: 枫林镇, en: Fenglin Town, parent: "379913"',
                "379913",
            ),
            ("units.yaml", 'local: "379911", management: vertical', "management: vertical", "local"),
            ("units.yaml", 'local: "379911", management', 'local: "379919", management', "379919"),
            ("units.yaml", '"379911.health_bureau"', '"379911.space_bureau"', "needs zh"),
        ],
    )
    def test_a_wrong_value(self, folder, file, old, new, says):
        line = edit(folder / file, old, new)
        with pytest.raises(ConfigError, match=says) as caught:
            load_directory(folder)
        assert (caught.value.line, Path(caught.value.source).name) == (line, file)

    def test_a_key_given_twice_is_told_where_it_stands_the_second_time(self, folder):
        line = edit(folder / "routing.yaml", "    uphold: {", "    change: {")
        with pytest.raises(ConfigError, match=f"given twice .first on line {line}.") as caught:
            load_directory(folder)
        assert caught.value.line == line + 2

    def test_a_missing_level_or_rank(self, folder):
        line = edit(folder / "routing.yaml", ", rank: 6}", "}")
        with pytest.raises(ConfigError, match="'central'") as caught:
            load_directory(folder)
        assert caught.value.line < line

    def test_broken_yaml_an_empty_file_and_no_file(self, folder):
        (folder / "units.yaml").write_text("version: x\nunits: [\n", encoding="utf-8")
        with pytest.raises(ConfigError, match="not valid YAML"):
            load_directory(folder)
        (folder / "units.yaml").write_text("", encoding="utf-8")
        with pytest.raises(ConfigError, match="is empty"):
            load_directory(folder)
        (folder / "units.yaml").write_text("version: 2019-13-45\nunits: []\n", encoding="utf-8")
        with pytest.raises(ConfigError):
            load_directory(folder)
        (folder / "units.yaml").unlink()
        with pytest.raises(ConfigError, match="cannot be read"):
            load_directory(folder)

    def test_yaml_cannot_run_code(self, folder):
        (folder / "units.yaml").write_text("version: !!python/object/apply:os.getcwd []\nunits: []\n", encoding="utf-8")
        with pytest.raises(ConfigError, match="not valid YAML"):
            load_directory(folder)


def test_another_folder_can_be_named(folder, monkeypatch):
    monkeypatch.setenv("FENGQIAO_DIRECTORY", str(folder))
    assert directory_folder() == folder
