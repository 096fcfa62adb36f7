// A real OpenID provider on 127.0.0.1: node provider.mjs FOLDER_WITH_NODE_MODULES REDIRECT_URI
// It says its issuer on the first line. Anybody logs in with any password; who is in which group stands below.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, redirectUri] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(createRequire(`${folder}/`).resolve("oidc-provider")));
const groups = { ada: ["sre", "staff"], ron: ["oncall"], eve: ["sales"], nil: [] };

const server = createServer();
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id: "tocsin", client_secret: "s3cret-of-tocsin", redirect_uris: [redirectUri] }],
  claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id.toUpperCase(), groups: groups[id] }),
  }),
  pkce: { required: () => true },
  cookies: { keys: ["for tests"] },
  ttl: { IdToken: 60, AccessToken: 60, Grant: 600, Session: 600, Interaction: 600, AuthorizationCode: 60 },
});
server.on("request", provider.callback());
console.log(issuer);
