"""Stages that Python replaces: how the pipeline calls them, and how it takes their answers."""

from __future__ import annotations

from typing import Any, Callable

from .records import Check, CommitResult, OrderConfig, VerifyResult, commit_result_of, shallow

Begin = Callable[[Any, Any], None]


def commit(stage: Callable[..., Any], config: OrderConfig) -> Begin:
    """The commit stage of one order."""

    def call(_: Any) -> Any:
        return stage(config.order_id, config.skill_package, config.input_data, config.sandbox_config)

    return _begin("commit_result", call, _commit_values)


def verify(stage: Callable[..., Any]) -> Begin:
    """The verify stage of one order."""
    return _begin("verify_result", lambda claim: stage(commit_result_of(claim)), _verify_values)


def _commit_values(result: Any) -> dict[str, Any]:
    if not issubclass(type(result), CommitResult):
        raise TypeError(f"must return a CommitResult, returned {type(result).__name__}")
    return shallow(result)


def _verify_values(result: Any) -> dict[str, Any]:
    if not issubclass(type(result), VerifyResult):
        raise TypeError(f"must return a VerifyResult, returned {type(result).__name__}")
    values = shallow(result)
    values["checks"] = [shallow(check) if issubclass(type(check), Check) else check for check in result.checks]
    return values


def _begin(name: str, call: Callable[[Any], Any], values_of: Callable[[Any], dict[str, Any]]) -> Begin:
    """A function that the pipeline calls on the event loop, with where to put the answer."""
    import asyncio

    running: set[asyncio.Task[None]] = set()  # a loop holds its tasks weakly

    async def run(reply: Any, claim: Any) -> None:
        try:
            value = call(claim)
            if hasattr(type(value), "__await__"):
                value = await value
            reply.returned(values_of(value), name)
        except (TimeoutError, asyncio.TimeoutError) as error:
            reply.raised("timeout", _said(name, error))
        except (TypeError, ValueError) as error:
            # The call itself is wrong, and would be again.
            reply.raised("rejected", _said(name, error))
        except Exception as error:
            reply.raised("failed", _said(name, error))
        except BaseException as error:
            reply.raised("failed", _said(name, error))
            raise

    def begin(reply: Any, claim: Any) -> None:
        task = asyncio.get_running_loop().create_task(run(reply, claim))
        running.add(task)
        task.add_done_callback(running.discard)
        if not reply.on_cancel(task.cancel):
            task.cancel()

    return begin


def _said(name: str, error: BaseException) -> str:
    try:
        text = str(error).encode(errors="replace").decode()
    except Exception:
        text = "an exception whose text cannot be had"
    return f"{name} raised {type(error).__name__}: {text}"[:2000]
