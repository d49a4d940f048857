// A real authorization server for the integration tests: oidc-provider with the client credentials grant, every client
// authentication method, introspection, revocation, resource indicators, DPoP and certificate-bound tokens. One JSON
// object on standard input configures it:
//   {"clients": [{client_id, client_secret, token_endpoint_auth_method, scope, ttl, keys}],
//    "resources": {URI: {scope, ttl, format}}, "certificate": PEM, "key": PEM, "authority": PEM, "dpop_nonces": boolean}
// where `keys` of a client are its public keys or certificates in PEM; a certificate and its key turn TLS on; the
// authority is that of client certificates, which are then asked for; dpop_nonces demands nonces in proofs.
// It prints {"issuer": ...} in one line once it listens on a free port of the loopback interface, answers
// GET /test/token-requests with the number of token requests by client id, and ends when standard input does.
import { createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import readline from 'node:readline';

import Provider, { errors } from 'oidc-provider';

const input = readline.createInterface({ input: process.stdin });
const [line] = await once(input, 'line');
const { clients, resources = {}, certificate, key, authority, dpop_nonces: dpopNonces = false } = JSON.parse(line);
input.once('close', () => process.exit(0));

const clientCertificates = authority ? { requestCert: true, rejectUnauthorized: false, ca: authority } : {};
const server = certificate
  ? https.createServer({ cert: certificate, key, ...clientCertificates })
  : http.createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `${certificate ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;

const lifetimes = new Map(clients.map(({ client_id, ttl }) => [client_id, ttl]));
const tokenRequests = {};

const signingAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

function jwkOf(pem) {
  const jwk = createPublicKey(pem).export({ format: 'jwk' });
  return pem.includes('CERTIFICATE') ? { ...jwk, x5c: [new X509Certificate(pem).raw.toString('base64')] } : jwk;
}

function peerCertificate(ctx) {
  return ctx.socket.getPeerX509Certificate?.();
}

const provider = new Provider(issuer, {
  clients: clients.map(({ ttl, keys, ...metadata }) => ({
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    ...(keys ? { jwks: { keys: keys.map(jwkOf) } } : {}),
    ...metadata,
  })),
  clientAuthMethods: [
    'client_secret_basic',
    'client_secret_post',
    'client_secret_jwt',
    'private_key_jwt',
    ...(authority ? ['tls_client_auth', 'self_signed_tls_client_auth'] : []),
  ],
  enabledJWA: {
    clientAuthSigningAlgValues: [...signingAlgorithms, 'HS256', 'HS384', 'HS512'],
    dPoPSigningAlgValues: signingAlgorithms,
  },
  discovery: authority ? { mtls_endpoint_aliases: { token_endpoint: `${issuer}/token` } } : {},
  scopes: ['catalog', 'catalog.read', 'catalog.write', 'invoices'],
  ttl: {
    ClientCredentials: (ctx, token, client) =>
      token.resourceServer?.accessTokenTTL ?? lifetimes.get(client.clientId) ?? 600,
  },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: {
      enabled: true,
      ...(dpopNonces ? { nonceSecret: randomBytes(32), requireNonce: () => true } : {}),
    },
    introspection: { enabled: true },
    mTLS: {
      enabled: Boolean(authority),
      certificateBoundAccessTokens: true,
      selfSignedTlsClientAuth: true,
      tlsClientAuth: true,
      getCertificate: peerCertificate,
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) =>
        property === 'tls_client_auth_subject_dn' && peerCertificate(ctx).subject === expected,
    },
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
