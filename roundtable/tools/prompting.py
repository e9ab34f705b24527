"""What one model is asked, checked before anything begins: a prompt, or a whole conversation."""

from collections.abc import Sequence

from protocol.errors import Invalid
from protocol.messages import Message

# Between messages of one role that follow each other: vendors want the roles to alternate.
_BREAK = "\n\n"


def conversation(prompt: str, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages of a request: they begin with `user`, end on `user` or `tool`, and alternate; runs of one role are
    joined. Every call has its result. Raises `Invalid`, naming the message."""
    if not messages:
        if not prompt.strip():
            raise Invalid("There is nothing to answer: give a prompt, or messages.", field="prompt")
        return (Message("user", prompt),)
    if prompt:
        raise Invalid("Give either a prompt or messages, not both.", field="prompt")
    waiting = set[str]()  # calls without a result
    for index, message in enumerate(messages):
        _check(message, f"messages[{index}]", waiting)
        if message.role == "tool":
            waiting.discard(message.call)
        elif waiting:
            raise Invalid(f"The call {min(waiting)[:40]!r} has no result yet.", field=f"messages[{index}]")
        waiting |= {call.id for call in message.calls}
    last = len(messages) - 1
    if messages[last].role == "assistant":
        raise Invalid("The last message is the user's or a tool's.", field=f"messages[{last}].role")
    if waiting:
        raise Invalid(f"The call {min(waiting)[:40]!r} has no result.", field=f"messages[{last}]")
    if messages[0].role != "user":
        raise Invalid("The first message is the user's.", field="messages[0].role")
    return _joined(messages)


def _check(message: Message, field: str, waiting: set[str]) -> None:
    if message.role == "tool" and message.call not in waiting:
        raise Invalid(
            f"Nobody made the call {message.call[:40]!r}, or it has a result.", field=f"{field}.call"
        )
    if message.role != "tool" and message.call:
        raise Invalid("Only a tool's message is the result of a call.", field=f"{field}.call")
    if message.role != "assistant" and message.calls:
        raise Invalid("Only an assistant makes calls.", field=f"{field}.calls")
    if message.role != "tool" and not message.text.strip() and not message.calls:
        raise Invalid("The message is empty.", field=f"{field}.text")


def _joined(messages: Sequence[Message]) -> tuple[Message, ...]:
    joined = [messages[0]]
    for message in messages[1:]:
        last = joined[-1]
        if message.role == last.role != "tool":
            text = _BREAK.join(filter(None, (last.text, message.text)))
            joined[-1] = Message(message.role, text, last.calls + message.calls)
        else:
            joined.append(message)
    return tuple(joined)
