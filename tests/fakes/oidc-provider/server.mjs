// A real authorization server for the integration tests: oidc-provider with the client credentials grant,
// introspection, revocation and resource indicators. One JSON object on standard input configures it:
//   {"clients": [{client_id, client_secret, token_endpoint_auth_method, scope, ttl}],
//    "resources": {URI: {scope, ttl, format}}, "certificate": PEM, "key": PEM}
// where the certificate and its key are optional and turn TLS on.
// It prints {"issuer": ...} in one line once it listens on a free port of the loopback interface, answers
// GET /test/token-requests with the number of token requests by client id, and ends when standard input does.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import readline from 'node:readline';

import Provider, { errors } from 'oidc-provider';

const input = readline.createInterface({ input: process.stdin });
const [line] = await once(input, 'line');
const { clients, resources = {}, certificate, key } = JSON.parse(line);
input.once('close', () => process.exit(0));

const server = certificate ? https.createServer({ cert: certificate, key }) : http.createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `${certificate ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;

const lifetimes = new Map(clients.map(({ client_id, ttl }) => [client_id, ttl]));
const tokenRequests = {};

const provider = new Provider(issuer, {
  clients: clients.map(({ ttl, ...metadata }) => ({
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    ...metadata,
  })),
  clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
  scopes: ['catalog', 'catalog.read', 'catalog.write', 'invoices'],
  ttl: {
    ClientCredentials: (ctx, token, client) =>
      token.resourceServer?.accessTokenTTL ?? lifetimes.get(client.clientId) ?? 600,
  },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(ctx, resource) {
        const known = resources[resource];
        if (!known) throw new errors.InvalidTarget();
        return {
          audience: resource,
          scope: known.scope,
          accessTokenTTL: known.ttl ?? 600,
          accessTokenFormat: known.format ?? 'opaque',
        };
      },
    },
  },
});

provider.use(async (ctx, next) => {
  if (ctx.path === '/test/token-requests') {
    ctx.body = tokenRequests;
    return;
  }
  await next();
  if (ctx.path === '/token') {
    const id = ctx.oidc?.client?.clientId ?? '';
    tokenRequests[id] = (tokenRequests[id] ?? 0) + 1;
  }
});

server.on('request', provider.callback());
console.log(JSON.stringify({ issuer }));
