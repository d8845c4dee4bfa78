"""What a BSM answered and what its client does: as a table, as lines, as JSON."""

from __future__ import annotations

import click

from host_tools.cli.console import Console
from host_tools.cli.exits import DIFFERENT, CliError
from host_tools.cli.terminal.report import print_json, print_table
from host_tools.exchange.messages.msk import MskAnswer, MskName
from host_tools.exchange.messages.registration import RegistrationAnswer
from host_tools.exchange.messages.tokens import AccountAnswer, TokenPurchaseAnswer
from host_tools.exchange.procedures import ACCOUNT
from host_tools.sessions.events import ClientNews, Event, TerminalOnline
from host_tools.sessions.online.asking import Reply, item_text, key_text, result_text, results_of
from host_tools.terminal.client.errands import Answer, Outcome
from host_tools.terminal.client.events import (
    ErrandDone,
    ItemsOver,
    KeysMissing,
    LtkmHandled,
    LtkmRepeated,
    MessageDropped,
    News,
    ServerPassedOver,
    StateChanged,
    StockTaken,
    TriggerTaken,
    Waiting,
)
from host_tools.terminal.client.wishes import Deregister, Order, Register, RequestKeys, TakeStock, Wish
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.trace.printable import printable


def console() -> Console:
    """Return what hears the events of one request: only what every command says."""
    return Console()


def show_reply(what: str, reply: Reply, *, as_json: bool) -> None:
    """Print a reply. Raises `CliError` for what the BSM refused, or the card."""
    if as_json:
        ltkms = [{"key": _key_of(receipt), **_ltkm(receipt)} for receipt in reply.receipts]
        print_json({"b_tid": reply.b_tid, **answer_dict(reply.answer), "ltkms": ltkms})
    else:
        rows = [("B-TID or NAI", reply.b_tid), *answer_rows(reply.answer)]
        print_table(what, [*rows, *(_ltkm_row(receipt) for receipt in reply.receipts)])
    refused = reply.refused
    if refused:
        which = f"{len(refused)} of {_size(reply.answer)}: {printable(', '.join(refused))}"
        raise CliError(f"the BSM refused {which}", DIFFERENT)
    if not reply.all_taken:
        raise CliError("the card did not take every LTKM", DIFFERENT)


def _size(answer: Answer) -> int:
    match answer:
        case RegistrationAnswer() | MskAnswer():
            return len(answer.codes)
        case _:
            return max(len(results_of(answer)), 1)


def answer_rows(answer: Answer) -> list[tuple[str, str]]:
    """Return the rows of a table for an answer."""
    match answer:
        case RegistrationAnswer(codes):
            return [(printable(code.service_id), str(int(code.status))) for code in codes]
        case MskAnswer(keys):
            return [(key_text(code.name), str(int(code.status))) for code in keys]
        case _:
            rows = [(printable(item_text(one.item)), result_text(one)) for one in results_of(answer)]
    if isinstance(answer, TokenPurchaseAnswer) and answer.charged is not None:
        rows.append(("charged", f"{answer.charged.amount} {answer.charged.currency}"))
    if isinstance(answer, AccountAnswer):
        rows += [(f"granted to the purse {one.kind.value}", str(one.balance)) for one in answer.purses]
        rows += [("charged", f"{one.amount} {one.currency}") for one in answer.charged]
        rows += [("more", "there are older items than the BSM lists")] if answer.more else []
    return rows


def answer_dict(answer: Answer) -> dict[str, object]:
    """Return an answer for JSON."""
    match answer:
        case RegistrationAnswer(codes):
            return {"answers": [{"service": code.service_id, "status": int(code.status)} for code in codes]}
        case MskAnswer(keys):
            return {"answers": [{"key": key_text(code.name), "status": int(code.status)} for code in keys]}
        case _:
            pass
    found: dict[str, object] = {"status": int(answer.status), "request_id": answer.request_id}
    found["answers"] = [
        {
            "item": one.item.global_id,
            "data": one.item.data_id,
            "status": int(one.status),
            "from": None if one.window is None else one.window.start.isoformat(),
            "to": None if one.window is None else one.window.end.isoformat(),
            "prices": [
                {"amount": str(price.amount), "currency": price.currency, "kind": price.kind} for price in one.prices
            ],
        }
        for one in results_of(answer)
    ]
    if isinstance(answer, TokenPurchaseAnswer) and answer.charged is not None:
        found["charged"] = {"amount": str(answer.charged.amount), "currency": answer.charged.currency}
    if isinstance(answer, AccountAnswer):
        found["purses"] = [{"purse": one.kind.value, "granted": one.balance} for one in answer.purses]
        found["charged"] = [{"amount": str(one.amount), "currency": one.currency} for one in answer.charged]
        found["more"] = answer.more
    return found


def _ltkm_row(receipt: LtkmReceipt) -> tuple[str, str]:
    key = _key_of(receipt)
    return "LTKM" if key is None else f"LTKM {key}", receipt.words


def _key_of(receipt: LtkmReceipt) -> str | None:
    """Return which key an LTKM is about, as `terminal keys` takes it; None where it is not known."""
    return None if receipt.ids is None else key_text(MskName(receipt.ids.key_domain_id, receipt.ids.msk_id))


def _ltkm(receipt: LtkmReceipt) -> dict[str, object]:
    return {"verdict": receipt.verdict.name.lower(), "words": receipt.words}


class OnlineShow(Console):
    """Shows what a terminal that stays does, a line for each thing; as JSON, an object a line."""

    def __init__(self, *, as_json: bool) -> None:
        """Take how."""
        self._as_json = as_json

    def emit(self, event: Event, /) -> None:
        """Show the event."""
        match event:
            case ClientNews(news) if self._as_json:
                self._say_json(news_dict(news))
            case ClientNews(news):
                click.echo(news_words(news))
            case TerminalOnline() if self._as_json:
                told = {"subscriber": event.subscriber, "bsm": event.bsm, "address": event.address}
                self._say_json({"event": "online", **told, "state_file": str(event.state_file)})
            case TerminalOnline():
                click.echo(f"{event.subscriber} at {event.bsm}, on {event.address}; state in {event.state_file}")
            case _:
                super().emit(event)

    def _say_json(self, said: dict[str, object]) -> None:
        import json

        click.echo(json.dumps(said))


def news_words(news: News) -> str:
    """Return what happened as one line for a person."""
    match news:
        case StateChanged(before, after, why):
            return f"{before.value} -> {after.value}: {printable(why)}"
        case ErrandDone(outcome):
            return _outcome_words(outcome)
        case Waiting(seconds, why):
            return f"waiting {seconds:.1f} s: {printable(why)}"
        case LtkmHandled(receipt, name, by_word):
            which = "" if name is None else f" {key_text(name)}"
            told = "; taken before the last end, the BSM will be told" if by_word else ""
            return f"LTKM{which}: {receipt.words}{told}"
        case LtkmRepeated(answered):
            return "an LTKM came again and was answered from memory" if answered else "an LTKM came again"
        case MessageDropped(why):
            return f"dropped: {printable(why)}"
        case TriggerTaken(trigger_id, service_ids):
            return f"trigger {printable(trigger_id)}: registering for {printable(', '.join(service_ids))}"
        case ItemsOver(service_ids):
            return f"over: {printable(', '.join(service_ids))}"
        case StockTaken(bought, ended):
            brought = [one.service_id + ("" if one.ends is None else f" until {one.ends}") for one in bought]
            said = (("bought in the shop", brought), ("ended in the shop", list(ended)))
            return "; ".join(f"{what}: {printable(', '.join(which))}" for what, which in said if which)
        case ServerPassedOver(server, why):
            return f"{printable(server)} is passed over: {printable(why)}"
        case KeysMissing(names):
            which = ", ".join(map(key_text, names)) or "nobody knows which"
            return f"key not delivered: {which}"


def news_dict(news: News) -> dict[str, object]:
    """Return what happened for JSON."""
    match news:
        case StateChanged(before, after, why):
            return {"event": "state", "before": before.value, "after": after.value, "why": why}
        case ErrandDone(outcome):
            failure = outcome.failure
            told: dict[str, object] = {"event": "answer", "request": _wish_name(outcome.wish), "b_tid": outcome.b_tid}
            if outcome.answer is not None:
                told |= answer_dict(outcome.answer)
            if failure is not None:
                told |= {"failure": failure.trouble.name.lower(), "words": failure.words, "http_status": failure.status}
            return told
        case Waiting(seconds, why):
            return {"event": "waiting", "seconds": round(seconds, 3), "why": why}
        case LtkmHandled(receipt, name, by_word):
            key = None if name is None else key_text(name)
            return {"event": "ltkm", "key": key, "before_last_end": by_word, **_ltkm(receipt)}
        case LtkmRepeated(answered):
            return {"event": "ltkm again", "answered": answered}
        case MessageDropped(why):
            return {"event": "dropped", "why": why}
        case TriggerTaken(trigger_id, service_ids):
            return {"event": "trigger", "id": trigger_id, "services": list(service_ids)}
        case ItemsOver(service_ids):
            return {"event": "over", "services": list(service_ids)}
        case StockTaken(bought, ended):
            items = [
                {"service": one.service_id, "to": None if one.ends is None else one.ends.isoformat()} for one in bought
            ]
            return {"event": "shop", "bought": items, "ended": list(ended)}
        case ServerPassedOver(server, why):
            return {"event": "passed over", "server": server, "why": why}
        case KeysMissing(names):
            return {"event": "keys missing", "keys": list(map(key_text, names))}


def _outcome_words(outcome: Outcome) -> str:
    what = _wish_name(outcome.wish)
    if outcome.failure is not None:
        return f"{what}: {printable(outcome.failure.words)}"
    assert outcome.answer is not None, "an outcome is an answer or a failure"
    return f"{what}: " + "; ".join(f"{name} {value}" for name, value in answer_rows(outcome.answer))


def _wish_name(wish: Wish) -> str:
    match wish:
        case Register():
            return "registration"
        case Deregister():
            return "deregistration"
        case RequestKeys():
            return "LTKM request"
        case Order(message):
            return message.procedure.name
        case TakeStock():
            return ACCOUNT.name
        case _:
            return f"{wish.pending.procedure}, sent again"
