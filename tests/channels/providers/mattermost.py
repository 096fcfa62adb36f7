"""A Mattermost server as far as a bot that posts needs it: what it accepts and refuses, and what people then see."""

import json
from contextlib import asynccontextmanager

from receiver.channels.mattermost import MattermostSender
from tests.channels.outgoings import outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.wire import Reply, Request, Wire

CHANNEL = "4xp9fdt77pncbef59f4k1qe83o"
BOT = "b0t6tqxhk3f1ubqtdr8fyx7uah"
DANA, DIRECT = "d4n4i1e7yjyjdnf3xpgfhx5c3r", "d1rect8kqp1ofbw4uhkxpbq5er"
TOKEN = "yhg8ckpxz3d8ix5k8jgzqgp4oh"


class MattermostServer(Wire):
    """One bot's posts: `posts` maps an id to the post as it is shown now."""

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__(self.answer)
        self.token = token
        self.posts: dict[str, dict] = {}
        self.refusal: Reply | None = None
        """What every post is refused with."""

    def answer(self, request: Request) -> Reply:
        path = request.path.removeprefix("/api/v4/")
        if path == request.path:
            return Reply(200, b"<!doctype html><title>Mattermost</title>")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return refuse(
                401, "api.context.session_expired.app_error", "Invalid or expired session, please login again."
            )
        words = json.loads(request.body) if request.body else {}
        match request.method, path.split("/"):
            case "POST", ["posts"]:
                return self.post(words)
            case "PUT", ["posts", post, "patch"]:
                return self.patch(post, words)
            case "GET", ["users", "me"]:
                return Reply(200, {"id": BOT, "is_bot": True})
            case "POST", ["channels", "direct"]:
                known = sorted(words) == sorted([BOT, DANA])
                return (
                    Reply(201, {"id": DIRECT, "type": "D"}) if known else refuse(404, "app.user.missing_account.const")
                )
            case _:
                return refuse(404, "api.context.404.app_error")

    def post(self, words) -> Reply:
        if self.refusal:
            return self.refusal
        if words["channel_id"] not in {CHANNEL, DIRECT}:
            return refuse(403, "api.context.permissions.app_error", "You do not have the appropriate permissions.")
        if words.get("root_id", "") and words["root_id"] not in self.posts:
            return refuse(400, "api.post.create_post.root_id.app_error", "Invalid RootId parameter.")
        seen = [post for post, shown in self.posts.items() if shown["pending_post_id"] == words["pending_post_id"]]
        if fault := self.fault(words):
            return fault
        post = seen[0] if seen else f"p{len(self.posts):025}"
        self.posts.setdefault(post, words)
        return Reply(201, {"id": post, "channel_id": words["channel_id"], "message": words["message"]})

    def patch(self, post: str, words) -> Reply:
        if post not in self.posts:
            return refuse(404, "app.post.get.app_error", "Unable to get the post.")
        if fault := self.fault(words):
            return fault
        self.posts[post] = self.posts[post] | words
        return Reply(200, {"id": post, "message": words["message"]})

    def fault(self, words) -> Reply | None:
        """What Mattermost refuses it for; the limits are those of older servers."""
        if len(words["message"]) > 4000:
            return refuse(
                400, "model.post.is_valid.message_length.app_error", "Post Message property is longer than 4000."
            )
        if len(json.dumps(words["props"], ensure_ascii=False)) > 800_000:
            return refuse(400, "model.post.is_valid.props.app_error", "Invalid props.")
        return None

    def press(self, post: str, user: str, name: str, trigger: str = "t1") -> dict:
        """What the server posts when a person presses the button, and where to; clients do not see the context."""
        (action,) = self.posts[post]["props"]["attachments"][0]["actions"]
        return {
            "user_id": user,
            "user_name": name,
            "channel_id": self.posts[post]["channel_id"],
            "channel_name": "incidents",
            "team_id": "",
            "team_domain": "",
            "post_id": post,
            "trigger_id": trigger,
            "type": "",
            "data_source": "",
            "context": action["integration"]["context"],
        }


def refuse(code: int, error: str, message: str = "") -> Reply:
    return Reply(code, {"id": error, "message": message, "detailed_error": "", "request_id": "r1", "status_code": code})


@asynccontextmanager
async def provider(patience):
    async with MattermostServer() as server:
        yield Provider(
            MattermostSender(TOKEN, server.url, "https://tocsin.example", timeout=patience),
            outgoing("mattermost", CHANNEL),
            (TOKEN,),
            over_http(
                server,
                refuse(400, "api.post.create_post.can_not_post_to_deleted.error", f"deleted channel {TOKEN}"),
                refuse(401, "api.context.session_expired.app_error", f"Invalid session {TOKEN}"),
            ),
            lambda: len(server.posts),
            advice="TOCSIN_MATTERMOST_TOKEN",
        )
