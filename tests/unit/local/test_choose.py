"""What is taken, in which order, and what is said about it."""

import sys
import types

import pytest

from deploy.local import choose, containers, mongo
from deploy.local.children import Children
from deploy.local.errors import LocalStackError, UnavailableError
from deploy.local.state import held


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("FENGQIAO_KAFKA", "FENGQIAO_MONGO", "FENGQIAO_LOCAL_PREFER", "FENGQIAO_IDEMPOTENT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def request_of(tmp_path):
    children = Children()

    def make(prefer):
        ports = {"kafka": 1, "kafka_controller": 2, "mongo": 3}
        return choose.Request(tmp_path, ports, children, choose.order(prefer), lambda *_: None)

    yield make
    children.close()


def offer(monkeypatch, what: str, *, container: str | Exception, process: str | Exception) -> list[str]:
    """Let each way to get `what` give a part that says `how`, or fail; returns the list of ways that were tried."""
    tried: list[str] = []

    def way(name, outcome):
        def act(*_args, **_options):
            tried.append(name)
            if isinstance(outcome, Exception):
                raise outcome
            return types.SimpleNamespace(how=outcome, start=lambda: None)

        return act

    monkeypatch.setattr(containers, what, way("container", container))
    monkeypatch.setattr(choose.kafka_process if what == "kafka" else mongo, "prepare", way("process", process))
    return tried


@pytest.mark.parametrize(
    ("prefer", "first"), [("auto", "container"), ("process", "process"), ("container", "container")]
)
@pytest.mark.parametrize("what", ["kafka", "mongo"])
def test_the_order_follows_the_wish(monkeypatch, request_of, prefer, first, what):
    tried = offer(monkeypatch, what, container="in a container", process="as a process")
    getattr(choose, what)(request_of(prefer))
    assert tried == [first]


def test_the_environment_stands_in_for_auto_only(monkeypatch):
    monkeypatch.setenv("FENGQIAO_LOCAL_PREFER", "process")
    assert choose.order("auto") == ("process", "container")
    assert choose.order("container") == ("container", "process")


def test_an_unknown_wish_is_refused(monkeypatch):
    monkeypatch.setenv("FENGQIAO_LOCAL_PREFER", "cloud")
    with pytest.raises(LocalStackError, match=r"cloud.*auto, process, container"):
        choose.order("auto")


def test_what_was_not_possible_is_told_with_what_was_taken(monkeypatch, request_of):
    offer(monkeypatch, "kafka", container=UnavailableError("no daemon answers"), process="as a process")
    part, idempotent = choose.kafka(request_of("auto"))
    assert part.how == "as a process; no daemon answers"
    assert idempotent


def test_when_nothing_is_possible_every_reason_is_told(monkeypatch, request_of):
    offer(monkeypatch, "mongo", container=UnavailableError("no daemon"), process=UnavailableError("no wheel"))
    with pytest.raises(LocalStackError, match=r"(?s)MongoDB cannot be had.*no daemon.*no wheel"):
        choose.mongo(request_of("auto"))


def test_one_that_is_there_but_fails_is_not_passed_over(monkeypatch, request_of):
    tried = offer(monkeypatch, "mongo", container="in a container", process=LocalStackError("disk full"))
    with pytest.raises(LocalStackError, match="disk full"):
        choose.mongo(request_of("process"))
    assert tried == ["process"]


def test_a_named_broker_goes_before_all(monkeypatch, request_of):
    tried = offer(monkeypatch, "kafka", container="c", process="p")
    monkeypatch.setenv("FENGQIAO_KAFKA", "broker.example:9092")
    monkeypatch.setenv("FENGQIAO_IDEMPOTENT", "0")
    monkeypatch.setattr(choose.kafka_process, "reach", lambda named: None)
    part, idempotent = choose.kafka(request_of("auto"))
    assert (part.address, part.owned, idempotent, tried) == ("broker.example:9092", False, False, [])
    with pytest.raises(LocalStackError, match="left alone"):
        part.kill()


def test_a_named_broker_that_does_not_answer_is_an_error():
    with pytest.raises(LocalStackError, match=r"127\.0\.0\.1:1\b.*no broker answers"):
        choose.kafka_process.reach("127.0.0.1:1", timeout=0.1)


def test_a_named_database_that_does_not_answer_is_an_error_without_its_password():
    with pytest.raises(LocalStackError, match="no answer") as raised:
        mongo.reach("mongodb://me:geheim@127.0.0.1:1/?replicaSet=rs0", timeout=0.1)
    assert "geheim" not in str(raised.value)


def test_no_daemon_is_a_reason_not_a_crash(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(UnavailableError, match="no Docker daemon answers"):
        containers.kafka(tmp_path, {"kafka": 1}, Children(), keep=True)


def test_an_image_that_is_not_there_is_never_pulled(monkeypatch, tmp_path):
    from docker.errors import ImageNotFound

    def missing(name):
        raise ImageNotFound(name)

    # An attempt to pull would be an AttributeError.
    client = types.SimpleNamespace(images=types.SimpleNamespace(get=missing))
    monkeypatch.setattr(containers, "_daemon", lambda: client)
    with pytest.raises(UnavailableError, match="no image mongo:"):
        containers.mongo(tmp_path, {"mongo": 1}, Children(), keep=True)


def test_without_the_wheel_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: (_ for _ in ()).throw(ModuleNotFoundError(name)))
    with pytest.raises(UnavailableError, match=r"fengqiao\[local\].*FENGQIAO_MONGO"):
        mongo.find()


def test_a_state_directory_has_one_user_at_a_time(tmp_path):
    with held(tmp_path), pytest.raises(LocalStackError, match="in use by process"), held(tmp_path):
        pass
    with held(tmp_path):
        pass  # free again


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LocalStackError, match=r"file.*--state"), held(tmp_path / "file" / "state"):
        pass
