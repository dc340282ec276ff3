"""Ports are free, distinct and remembered."""

import json
import socket

from deploy.local import ports


def test_ports_are_distinct_and_free(tmp_path):
    chosen = ports.choose(("kafka", "mongo", "intake"), tmp_path)
    assert len(set(chosen.values())) == 3
    assert all(ports.is_free(port) for port in chosen.values())


def test_the_next_run_gets_the_same_ports(tmp_path):
    first = ports.choose(("kafka", "mongo"), tmp_path)
    assert ports.choose(("mongo", "kafka"), tmp_path) == first


def test_names_added_later_keep_the_ports_of_the_others(tmp_path):
    first = ports.choose(("kafka",), tmp_path)
    second = ports.choose(("intake",), tmp_path)
    both = ports.choose(("kafka", "intake"), tmp_path)
    assert both == first | second


def test_a_port_that_stays_taken_is_replaced(tmp_path):
    before = ports.choose(("kafka", "mongo"), tmp_path)
    with socket.socket() as other:
        other.bind((ports.HOST, before["kafka"]))
        other.listen()
        after = ports.choose(("kafka", "mongo"), tmp_path, patience=0)
    assert after["kafka"] != before["kafka"]
    assert after["mongo"] == before["mongo"]


def test_a_damaged_memory_is_no_obstacle(tmp_path):
    (tmp_path / "ports.json").write_text('{"kafka": "x", "mongo": -4', encoding="utf-8")
    chosen = ports.choose(("kafka", "mongo"), tmp_path)
    assert json.loads((tmp_path / "ports.json").read_text(encoding="utf-8")) == chosen


def test_answers_tells_a_listener_from_an_empty_port(tmp_path):
    with socket.socket() as server:
        server.bind((ports.HOST, 0))
        port = server.getsockname()[1]
        assert not ports.answers(port)
        server.listen()
        assert ports.answers(port)
