"""Whom a served network knows: the subscriber of a card profile, and those of a file."""

from __future__ import annotations

from pathlib import Path

from card import CardProfile
from host_tools.headend.scenario.parts import Parts
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.sessions.keeping import Keeping, keeping
from host_tools.wire.system import SystemClock

PROFILE = CardProfile.demo("csim")
RK = "00112233445566778899aabbccddeeff"


def parts(subscribers: Path | None = None) -> Parts:
    with keeping(Keeping(subscribers=subscribers), shipped_scenario("demo"), PROFILE, SystemClock()) as found:
        return found


def test_a_profile_with_a_csim_is_known_by_both_names() -> None:
    assert PROFILE.csim is not None
    known = parts().subscribers
    assert known.by_impi(PROFILE.usim.impi).imsi == PROFILE.usim.imsi
    assert known.by_nai(PROFILE.csim.nai).root.rk.reveal() == PROFILE.csim.rk.reveal()


def test_a_csim_of_the_file_goes_before_that_of_the_profile(tmp_path: Path) -> None:
    assert PROFILE.csim is not None
    file = tmp_path / "subscribers.toml"
    file.write_text(f'[[subscriber]]\nimsi = "001010000000004"\nnai = "{PROFILE.csim.nai}"\nrk = "{RK}"\n')
    assert parts(file).subscribers.by_nai(PROFILE.csim.nai).root.rk.reveal().hex() == RK
