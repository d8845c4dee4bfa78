"""The read-only look at the machine, on made-up trees."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from vpicc_bridge import machine, vicc_os
from vpicc_bridge.vicc_os import ViccMissing, load_virtualsmartcard

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:8C7B 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 4711 1 0 100 0 0 10 0
   1: 0100007F:8C7C 0100007F:A000 01 00000000:00000000 00:00000000 00000000 65534        0 4712 1 0 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:8C7B 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4713 1
"""


def test_listening_ports_are_read_from_both_tables(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TCP)
    assert machine.listening_ports(tmp_path) == {0x8C7B: {4711}}
    (tmp_path / "net" / "tcp6").write_text(TCP6)
    assert machine.listening_ports(tmp_path) == {0x8C7B: {4711, 4713}}


def test_our_own_listening_socket_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        own = machine.socket_inodes(os.getpid())
        assert own is not None
        assert machine.listening_ports()[port] <= own
    assert port not in machine.listening_ports()


def test_a_process_that_is_gone_has_no_answer(tmp_path: Path) -> None:
    assert machine.socket_inodes(1, tmp_path) is None


def test_the_driver_is_found_where_distributions_put_it(tmp_path: Path) -> None:
    assert machine.find_vpcd_driver((tmp_path,)) is None
    library = tmp_path / "lib" / "x86_64-linux-gnu" / "pcsc" / "drivers" / "serial" / "libifdvpcd.so"
    library.parent.mkdir(parents=True)
    library.touch()
    assert machine.find_vpcd_driver((tmp_path,)) == library


def test_the_reader_file_is_the_one_that_names_the_driver(tmp_path: Path) -> None:
    assert machine.find_vpcd_reader_file(tmp_path / "absent") is None
    (tmp_path / "libccidtwin").write_text("LIBPATH libccidtwin.so\n")
    assert machine.find_vpcd_reader_file(tmp_path) is None
    (tmp_path / "vpcd").write_text("LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so\n")
    assert machine.find_vpcd_reader_file(tmp_path) == tmp_path / "vpcd"


def test_a_reader_file_that_may_not_be_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a-secret", "vpcd"):
        (tmp_path / name).write_text("LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so\n")
    read = Path.read_text

    def refused(path: Path, **options: Any) -> str:
        if path.name == "a-secret":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path, **options)

    monkeypatch.setattr(Path, "read_text", refused)
    assert machine.find_vpcd_reader_file(tmp_path) == tmp_path / "vpcd"


@pytest.mark.parametrize(("content", "running"), [("77\n", 77), ("78\n", None), ("", None), ("x", None)])
def test_a_pid_file_counts_while_its_process_is_there(tmp_path: Path, content: str, running: int | None) -> None:
    (tmp_path / "77").mkdir()
    (tmp_path / "pcscd.pid").write_text(content)
    assert machine.find_pcscd_pid(tmp_path, proc=tmp_path) == running


def test_no_pid_file_is_no_pcscd(tmp_path: Path) -> None:
    assert machine.find_pcscd_pid(tmp_path) is None


def test_virtualsmartcard_missing_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, vicc_os.PACKAGE, raising=False)
    with pytest.raises(ViccMissing, match="apt-get install vsmartcard-vpicc"):
        load_virtualsmartcard([tmp_path])


def test_virtualsmartcard_without_its_cipher_library_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / vicc_os.PACKAGE
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "VirtualSmartcard.py").write_text("import no_such_cipher_library\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == vicc_os.PACKAGE]:
        monkeypatch.delitem(sys.modules, name)
    try:
        with pytest.raises(ViccMissing, match=r"no_such_cipher_library.*extra"):
            load_virtualsmartcard([tmp_path])
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == vicc_os.PACKAGE]:
            del sys.modules[name]
