"""The embedded servers, started for real, killed for real."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
import redis

from gateway.ops import ServiceRefused, places
from gateway.ops.lifeline import occupants
from gateway.ops.places import temporary_state_dir
from gateway.ops.postgres import EmbeddedPostgres
from gateway.ops.services import keep_up, services
from gateway.ops.valkey import EmbeddedValkey

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_state():
    folder = temporary_state_dir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def cluster(own_state):
    server = EmbeddedPostgres(own_state, durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def keeper(own_state):
    server = EmbeddedValkey(own_state)
    server.start()
    yield server
    server.stop()


async def ask(url, *statements):
    connection = await asyncpg.connect(url)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


async def gone(folder):
    async with asyncio.timeout(60):
        while occupants(folder):  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.02)


class TestPostgres:
    async def test_what_was_written_is_there_after_a_restart(self, cluster):
        await ask(cluster.url, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7) RETURNING n")
        cluster.stop()
        assert occupants(cluster.data) == []
        assert await ask(cluster.start(), "SELECT n FROM t") == 7

    async def test_what_was_committed_is_there_after_a_kill(self, cluster):
        await ask(cluster.url, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7) RETURNING n")
        cluster.kill()
        assert occupants(cluster.data) == []
        assert await ask(cluster.start(), "SELECT n FROM t") == 7

    async def test_a_server_whose_guard_was_killed_is_stopped_before_the_next_starts(self, cluster):
        guard = cluster._server._process
        before = cluster.pid
        guard.kill()
        guard.wait()
        assert before in occupants(cluster.data)
        assert await ask(cluster.start(), "SELECT 1") == 1
        assert before not in occupants(cluster.data)

    async def test_a_pid_file_with_the_number_of_a_stranger_is_no_obstacle(self, cluster):
        cluster.stop()
        stale = f"{os.getpid()}\n{cluster.data}\n1\n5432\n\n\n\nready\n"
        (cluster.data / "postmaster.pid").write_text(stale)
        assert await ask(cluster.start(), "SELECT 1") == 1

    async def test_it_listens_on_its_socket_only_and_not_as_root(self, cluster):
        assert await ask(cluster.url, "SHOW listen_addresses") == ""
        assert cluster.account.uid != 0
        assert cluster.pid in occupants(cluster.data)
        assert Path("/proc", str(cluster.pid)).owner() != "root"  # noqa: ASYNC240 - a look at /proc does not wait
        assert stat.S_IMODE(cluster.sockets.stat().st_mode) == 0o700

    async def test_an_error_is_logged_without_the_row_it_is_about(self, cluster, own_state):
        statements = ["CREATE TABLE t (address text UNIQUE)", "INSERT INTO t VALUES ('+8619900000001')"]
        with pytest.raises(asyncpg.UniqueViolationError):
            await ask(cluster.url, *statements, statements[1] + " RETURNING 1")
        log = (own_state / "log" / "postgres.log").read_text()
        assert "duplicate key" in log
        assert "19900000001" not in log

    async def test_an_initdb_that_was_cut_short_is_made_anew(self, own_state):
        server = EmbeddedPostgres(own_state, durable=False)
        partial = places.own_folder(own_state / "postgres.partial", server.account)
        (partial / "PG_VERSION").write_text("18\n")
        with server as url:
            assert await ask(url, "SELECT current_database()") == "tongda"
        assert not partial.exists()

    def test_data_of_another_release_are_refused(self, cluster):
        cluster.stop()
        (cluster.data / "PG_VERSION").write_text("16\n")
        with pytest.raises(ServiceRefused, match="holds data of PostgreSQL 16"):
            cluster.start()

    def test_a_server_that_cannot_start_is_quoted(self, cluster):
        cluster.stop()
        (cluster.data / "global" / "pg_control").unlink()
        with pytest.raises(ServiceRefused, match=r"ended while starting .*pg_control"):
            cluster.start()
        assert occupants(cluster.data) == []


class TestValkey:
    def test_a_durable_one_keeps_what_it_holds_over_a_restart(self, keeper):
        with redis.Redis.from_url(keeper.url) as client:
            client.set("a", 1)
        keeper.stop()
        with redis.Redis.from_url(keeper.start()) as client:
            assert client.get("a") == b"1"
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}

    def test_it_comes_back_after_a_kill(self, keeper):
        keeper.kill()
        assert occupants(keeper.data) == []
        with redis.Redis.from_url(keeper.start()) as client:
            assert client.ping()

    def test_it_listens_on_no_port(self, keeper):
        with redis.Redis.from_url(keeper.url) as client:
            assert client.config_get("port") == {"port": "0"}


class TestOwnership:
    def test_a_second_gateway_on_the_same_state_is_refused_with_the_setting_to_change(
        self, keeper, own_state
    ):
        with pytest.raises(ServiceRefused, match="TONGDA_STATE_DIR"):
            EmbeddedValkey(own_state).start()
        assert keeper.running

    def test_a_command_uses_the_servers_of_a_gateway_that_is_up(self, keeper, cluster, own_state):
        with services(own_state) as found:
            assert found == (cluster.url, keeper.url, ())
        assert keeper.running
        assert cluster.running

    def test_a_command_starts_its_own_where_nobody_runs_any(self, own_state):
        with services(own_state, database_url="postgresql://elsewhere/x", durable=False) as found:
            assert found.database_url == "postgresql://elsewhere/x"
            with redis.Redis.from_url(found.redis_url) as client:
                assert client.ping()
        assert occupants(own_state / "valkey") == []
        assert not (own_state / "postgres").exists()

    @pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGTERM])
    def test_no_server_outlives_the_process_that_started_it(self, own_state, which):
        program = (
            "import sys; from pathlib import Path; from gateway.ops.services import services\n"
            f"with services(Path({str(own_state)!r}), durable=False):\n"
            "    print('up', flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", program]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout.readline() == "up\n"
            run.send_signal(which)
        asyncio.run(gone(own_state / "postgres"))
        asyncio.run(gone(own_state / "valkey"))
        assert "database system is shut down" in (own_state / "log" / "postgres.log").read_text()


class TestKeepUp:
    async def test_a_server_that_was_killed_is_started_again(self, keeper, cluster):
        before = cluster.pid, keeper.pid
        task = asyncio.create_task(keep_up([cluster, keeper]))
        for process in before:
            os.kill(process, signal.SIGKILL)
        async with asyncio.timeout(60):
            while not (cluster.answers() and keeper.answers() and cluster.pid != before[0]):  # noqa: ASYNC110 - processes set no events
                await asyncio.sleep(0.05)
        assert await ask(cluster.url, "SELECT 1") == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cluster.running
        assert keeper.running


class TestPlaces:
    async def test_a_state_folder_with_a_long_path_has_its_sockets_elsewhere(self, own_state):
        server = EmbeddedValkey(own_state / ("d" * 120))
        with server as url:
            assert len(url) < 100
            with redis.Redis.from_url(url) as client:
                assert client.ping()
        assert not Path(url.removeprefix("unix://")).parent.exists()

    def test_a_socket_folder_that_is_somebody_else_s_is_refused(self, own_state, tmp_path):
        who = places.account()
        own = places.own_folder(own_state / "mine", who)
        (own_state / "link").symlink_to(own)
        with pytest.raises(ServiceRefused, match="is in the way"):
            places.own_folder(own_state / "link", who)
        with pytest.raises(ServiceRefused, match="is in the way"):
            places.own_folder(tmp_path, places.Account(who.uid + 1, who.gid))

    def test_programs_out_of_reach_are_copied_to_where_they_can_be_run(self, own_state, tmp_path):
        tool = tmp_path / "closed" / "bin" / "tool"
        tool.parent.mkdir(parents=True)
        tool.write_text("#!/bin/sh\necho runs\n")
        tool.chmod(0o700)
        (tmp_path / "closed" / "unwanted").write_text("x")
        tmp_path.chmod(0o700)
        stranger = places.Account(os.getuid() + 12345, os.getgid() + 12345)
        root = tmp_path / "closed"
        found = [places.programs(root, ("bin/tool",), "tool-1", own_state, stranger) for _ in range(2)]
        assert found == [own_state / "programs" / "tool-1"] * 2
        assert not (found[0] / "unwanted").exists()
        assert stat.S_IMODE((found[0] / "bin" / "tool").stat().st_mode) == 0o755

    def test_programs_within_reach_are_used_where_they_are(self, own_state):
        who = places.Account(os.getuid(), os.getgid())
        assert places.programs(Path("/bin"), ("sh",), "sh-1", own_state, who) == Path("/bin")

    def test_the_first_closed_folder_on_the_way_is_named(self, tmp_path):
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a").chmod(0o700)
        stranger = places.Account(os.getuid() + 12345, os.getgid() + 12345)
        closed = places.closed_to(stranger, tmp_path / "a" / "b")
        assert closed is not None
        assert closed in (tmp_path / "a", *tmp_path.parents, tmp_path)
        assert places.closed_to(places.Account(0, 0), tmp_path / "a" / "b") is None

    def test_a_state_folder_that_cannot_be_made_is_refused_with_the_setting(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ServiceRefused, match="set TONGDA_STATE_DIR"):
            places.prepare(tmp_path / "file" / "state")

    def test_a_narrow_umask_does_not_shut_the_servers_out(self, own_state):
        before = os.umask(0o077)
        try:
            with EmbeddedValkey(own_state / "sub") as url, redis.Redis.from_url(url) as client:
                assert client.ping()
        finally:
            os.umask(before)
