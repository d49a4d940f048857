"""What answers in Redis's place says what no Redis says, or lies: it is not believed, it costs nobody more than the timeout,
and what is wrong is logged once and counted."""

import socket
import time

import pytest

from grantd import is_sanitized, until
from redis_relay import RedisRelay
from shared_cache import Sharing, entry_names, is_up, state_of

timeout = 0.3
slack = 2 if is_sanitized() else 0.5
request_timeout = 1.5


@pytest.fixture
def relay(redis):
    relay = RedisRelay(redis)
    yield relay
    relay.close()


@pytest.fixture
def sharing(directory, redis, authorization_server):
    return Sharing(directory, redis.url, authorization_server, allow_overrides=["audience"], max_provoked_requests=100_000,
                   request_timeout=f"{int(request_timeout * 1000)}ms")


@pytest.fixture
def writer(start_daemon, sharing):
    return start_daemon(sharing.configuration(timeout="2s"))


@pytest.fixture
def reader(start_daemon, sharing, relay):
    return start_daemon(sharing.configuration(shared=relay.url, timeout=f"{int(timeout * 1000)}ms"))


def ask(daemon, number):
    return daemon.get_token("a", f"audience=number-{number}")


def timed(call):
    began = time.monotonic()
    result = call()
    return result, time.monotonic() - began


def always(said):
    return lambda words, reply: said


def to(command, said):
    """Lies to one command alone."""
    return lambda words, reply: said if words[0] == command else reply


def doubled(words, reply):
    return reply + reply


def announced_before(words, reply):
    return b">2\r\n+message\r\n+x\r\n" + reply


def half(words, reply):
    return [reply[:len(reply) // 2], 30]


def half_then_closed(words, reply):
    return None if len(reply) < 2 else [reply[:len(reply) // 2], 0.01]


def dripped(words, reply):
    for byte in reply:
        yield bytes([byte])
        yield 0.1


def dripped_for_ever(words, reply):
    yield b"$60000\r\n"
    for _ in range(1000):
        yield b"x"
        yield 0.05


def giant(words, reply):
    yield b"$536870912\r\n"
    for _ in range(8192):
        yield b"x" * 65536


# Not one of these is what the commands that were sent are answered with.
no_answers = {
    "status": b"+OK\r\n", "text": b"$5\r\nhello\r\n", "nil": b"$-1\r\n", "no array": b"*-1\r\n", "empty array": b"*0\r\n",
    "array": b"*2\r\n:1\r\n:2\r\n", "negative length": b"$-2\r\n", "overflowing length": b"$99999999999999999999\r\n",
    "overflowing number": b":99999999999999999999999999\r\n", "no number": b":abc\r\n", "no length": b"$\r\n",
    "nothing": b"\r\n", "null": b"_\r\n", "true": b"#t\r\n", "double": b",1.5\r\n", "map": b"%1\r\n+a\r\n+b\r\n",
    "set": b"~1\r\n+a\r\n", "push": b">2\r\n+a\r\n+b\r\n", "big number": b"(12345678901234567890\r\n",
    "verbatim": b"=7\r\ntxt:abc\r\n", "attribute": b"|1\r\n+a\r\n+b\r\n:1\r\n", "wrong end": b"$2\r\nabcd\r\n",
    "zeros": bytes(100), "endless error": b"-" + b"E" * 200_000,
}


@pytest.mark.parametrize("change", [*map(always, no_answers.values()), announced_before, half, half_then_closed,
                                    dripped_for_ever, giant],
                         ids=[*no_answers, "announced before", "half", "half then closed", "dripped for ever", "giant"])
def test_what_is_no_answer_is_not_used_and_delays_once(writer, reader, relay, redis, change):
    before = ask(writer, 0).token
    entry_names(redis)
    memory = reader.memory()
    relay.change = change
    answer, duration = timed(lambda: ask(reader, 0))
    assert answer.status == 200 and answer.token != before and duration < timeout + slack
    assert is_sanitized() or reader.memory() - memory < 8 << 20
    until(lambda: not is_up(reader))  # where it is silent, the caller's time is over a moment before the server's
    state, error = state_of(reader)
    assert state == "down" and error and "hello" not in error
    assert reader.metric("grantd_shared_cache_up") == 0
    answers, duration = timed(lambda: [ask(reader, number).status for number in range(1, 11)])
    assert set(answers) == {200} and duration < slack
    assert sum(count for (name, labels), count in reader.metrics().items()
               if name == "grantd_shared_cache_operations_total" and ("result", "ok") not in labels) >= 1
    assert len(until(lambda: reader.events("shared_cache_down"))) == 1
    relay.change = lambda words, reply: reply
    until(lambda: is_up(reader))


@pytest.mark.parametrize("code", ["MOVED 3999 127.0.0.1:{port}", "ASK 3999 127.0.0.1:{port}",
                                  "CLUSTERDOWN Hash slot not served",
                                  "CROSSSLOT Keys in request do not hash to the same slot", "TRYAGAIN Multiple keys", "ERR x",
                                  "NOSCRIPT none", "EXECABORT x", "\x1b[31m at-secret client-secret", ""])
def test_an_error_reply_is_told_once_by_its_code_and_followed_nowhere(writer, reader, relay, redis, code):
    before = ask(writer, 0).token
    entry_names(redis)
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        relay.change = always(b"-" + code.format(port=elsewhere.getsockname()[1]).encode() + b"\r\n")
        for number in range(5):
            answer, duration = timed(lambda: ask(reader, number))
            assert answer.status == 200 and answer.token != before and duration < slack
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    error = state_of(reader)[1]
    word = code.split(" ")[0]
    assert error.startswith("Redis answered " + (word if word.isalpha() else "ERR"))
    assert reader.metric("grantd_shared_cache_operations_total", operation="look_up", result="refused") == 5
    lines = until(lambda: len(found := reader.events("shared_cache_refused")) >= 3 and found)
    assert len(lines) == len(set(lines)) == 3  # look_up, lease, write
    assert not {"secret", "\x1b", "3999"} & set(reader.log().split()) and "at-secret" not in reader.log()
    if word in ("MOVED", "ASK", "CLUSTERDOWN"):
        assert "cluster" in error


@pytest.mark.parametrize("code", ["LOADING Redis is loading the dataset in memory", "BUSY Redis is busy",
                                  "MASTERDOWN Link down", "NOAUTH Authentication required."])
def test_a_server_that_serves_nobody_is_left_alone(writer, reader, relay, redis, code):
    ask(writer, 0)
    entry_names(redis)
    relay.change = always(b"-" + code.encode() + b"\r\n")
    for number in range(5):
        answer, duration = timed(lambda: ask(reader, number))
        assert answer.status == 200 and duration < slack
    state, error = state_of(reader)
    assert state == "down" and code.split()[0] in error
    assert len(relay.commands) <= 4  # what was sent together with the first, and perhaps a probe
    relay.change = lambda words, reply: reply
    until(lambda: is_up(reader))
    assert len(until(lambda: reader.events("shared_cache_down"))) == 1


def test_more_replies_than_were_asked_for_mix_nothing_up(writer, reader, relay, redis):
    tokens = {number: ask(writer, number).token for number in range(10)}
    entry_names(redis)
    relay.change = doubled
    for number, token in tokens.items():
        answer, duration = timed(lambda: ask(reader, number))
        assert answer.status == 200 and duration < timeout + slack
        assert answer.token not in set(tokens.values()) - {token}


def test_another_token_s_entry_is_not_taken_for_the_one_asked_for(writer, reader, relay, redis):
    other = ask(writer, 1).token
    name, = entry_names(redis)
    stolen = redis("GET", name)
    lies = {b"GETRANGE": b"$%d\r\n%s\r\n" % (len(stolen), stolen), b"PTTL": b":1000000\r\n"}
    relay.change = lambda words, reply: lies.get(words[0], reply)
    assert ask(reader, 0).token != other
    assert reader.metric("grantd_shared_cache_refused_entries_total", reason="seal") == 1
    assert len(until(lambda: reader.events("shared_entry_refused"))) == 1


@pytest.mark.parametrize("said, left", [(b":9223372036854775807", 3600), (b":-1", 3600), (b":-3", 3600),
                                        (b":-9223372036854775808", 3600), (b"-ERR no", 3600), (b":1000000", 1000)])
def test_a_lie_about_the_time_that_is_left_lengthens_nothing(writer, reader, relay, redis, said, left):
    before = ask(writer, 0).token
    entry_names(redis)
    relay.change = to(b"PTTL", said + b"\r\n")
    document = ask(reader, 0).json()
    assert document["access_token"] == before and left - 5 <= document["expires_in"] <= left


def test_who_is_told_that_it_alone_has_the_lease_fetches(reader, relay):
    relay.change = to(b"SET", b"+OK\r\n")
    answer, duration = timed(lambda: ask(reader, 0))
    assert answer.status == 200 and duration < slack and is_up(reader)


def test_who_is_told_that_somebody_else_has_the_lease_waits_for_half_of_request_timeout(reader, relay):
    relay.change = to(b"SET", b"$-1\r\n")
    answer, duration = timed(lambda: ask(reader, 0))
    assert answer.status == 200 and duration < request_timeout / 2 + slack
    assert is_up(reader)


@pytest.mark.parametrize("said", [b"$5\r\nhello\r\n", b":0\r\n", b"-ERR Error running script\r\n"],
                         ids=["text", "number", "error"])
def test_a_lie_about_what_was_written_ends_after_a_few_tries(reader, relay, said):
    relay.change = to(b"EVAL", said)
    assert ask(reader, 0).status == 200
    until(lambda: reader.metric("grantd_shared_cache_operations_total", operation="lease", result="ok") >= 1)
    time.sleep(0.3)
    assert sum(words[0] == b"EVAL" for words in relay.commands) <= 4  # three writes and the lease's end


def test_slow_replies_that_come_in_time_are_used(writer, reader, relay, redis):
    before = ask(writer, 0).token
    entry_names(redis)
    relay.change = lambda words, reply: [0.1, reply]
    assert ask(reader, 0).token == before


def test_a_reply_that_comes_byte_by_byte_is_given_up_at_the_timeout(writer, reader, relay, redis):
    before = ask(writer, 0).token
    entry_names(redis)
    relay.change = dripped
    answer, duration = timed(lambda: ask(reader, 0))
    assert answer.status == 200 and answer.token != before and timeout <= duration < timeout + slack
    until(lambda: "in time" in (state_of(reader)[1] or ""))


def test_a_redis_that_is_always_slow_delays_by_the_timeout_and_no_more(reader, relay, redis):
    # Both looking up and getting the lease come in time, one after the other they do not.
    relay.change = lambda words, reply: [0.9 * timeout / 3, reply]
    durations = [timed(lambda: ask(reader, number))[1] for number in range(10)]
    assert max(durations) < timeout + slack / 4, durations
    assert sum(duration >= 0.9 * timeout for duration in durations) <= 2, durations  # the circuit opens


def test_a_redis_that_answers_the_probe_too_late_is_left_alone(reader, relay):
    relay.change = lambda words, reply: [1.5 * timeout, reply]
    ask(reader, 0)
    until(lambda: "too late" in (state_of(reader)[1] or ""))
    assert timed(lambda: ask(reader, 1))[1] < 0.9 * timeout
    assert not reader.events("shared_cache_up")
    relay.change = lambda words, reply: reply
    until(lambda: is_up(reader))


def test_codes_that_change_make_no_more_lines_than_one(reader, relay):
    said = iter(range(1000))
    relay.change = lambda words, reply: b"-CODE%d no\r\n" % next(said)
    for number in range(20):
        ask(reader, number)
    until(lambda: reader.metric("grantd_shared_cache_operations_total", operation="write", result="refused") >= 10)
    events = reader.events("shared_cache_refused")
    operations = [event.split("operation=")[1].split()[0] for event in events]
    assert operations and len(set(operations)) == len(operations), events
