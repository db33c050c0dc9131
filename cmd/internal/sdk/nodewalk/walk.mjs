// nodewalk walks the whole life of a prefix with Cloudflare's own npm client,
// unchanged but for its base URL. It reads BASE_URL, ACCOUNT, OTHER_ACCOUNT,
// TOKEN, READ_ONLY, V1_URL and OPERATOR from the environment, prints a line a
// step and exits 1 at the first step that does not answer as the contract says.
import Cloudflare, { toFile } from 'cloudflare';

const env = process.env;
const account_id = env.ACCOUNT;
const client = new Cloudflare({ apiToken: env.TOKEN, baseURL: env.BASE_URL });
const reader = new Cloudflare({ apiToken: env.READ_ONLY, baseURL: env.BASE_URL });
const block = '193.0.16.0/21';
const specific = '193.0.18.0/24';
let steps = 0;

function fail(step, why) {
  console.log(`step ${steps} ${step}: ${why}\n0 passed, 1 failed`);
  process.exit(1);
}

async function ok(step, run, check = () => true) {
  steps++;
  let got;
  try {
    got = await run();
  } catch (e) {
    fail(step, e);
  }
  if (!check(got)) fail(step, `unexpected answer ${JSON.stringify(got)}`);
  console.log(`step ${steps} ${step}: ok`);
  return got;
}

// The client retries conflicts with back-off unless it is told that the refusal
// is final.
async function refused(step, status, run) {
  steps++;
  const begun = Date.now();
  try {
    await run();
  } catch (e) {
    const first = e.errors?.[0];
    if (e.status === status && Date.now() - begun < 3000 && first?.code >= 1000 && first?.message) {
      console.log(`step ${steps} ${step}: ok`);
      return;
    }
    fail(step, `want status ${status} at once, got ${e.status} after ${Date.now() - begun} ms: ${e}`);
  }
  fail(step, `want status ${status}, but it passed`);
}

async function all(page) {
  const out = [];
  for await (const item of page) out.push(item);
  return out;
}

const { prefixes, services, loaDocuments } = client.addressing;

const [service] = await ok('services', () => all(services.list({ account_id })), (l) => l.length === 1 && l[0].name === 'CDN');
await ok('no prefix yet', () => all(prefixes.list({ account_id })), (l) => l.length === 0);
const p = await ok('create a prefix', () => prefixes.create({ account_id, asn: 64500, cidr: block }),
  (p) => p.approved === 'P' && p.cidr === block && p.description === null && p.loa_document_id === null && p.advertised === null && p.on_demand_enabled === false);
await refused('create it again is refused, not doubled', 409, () => prefixes.create({ account_id, asn: 64500, cidr: block }));
await refused('host bits', 400, () => prefixes.create({ account_id, asn: 64500, cidr: '193.0.16.1/21' }));
await refused('another size', 400, () => prefixes.create({ account_id, asn: 64500, cidr: '193.0.16.0/25' }));
await refused('another account', 403, () => prefixes.get(p.id, { account_id: env.OTHER_ACCOUNT }));
await refused('a read-only token deletes nothing', 403, () => reader.addressing.prefixes.delete(p.id, { account_id }));
await ok('validate', () => prefixes.validate(p.id, { account_id }), (v) => v.id === p.id && v.approved === 'P');
await ok('describe', () => prefixes.edit(p.id, { account_id, description: 'our block' }), (v) => v.description === 'our block');
await ok('null clears the description', () => prefixes.edit(p.id, { account_id, description: null }), (v) => v.description === null);
await refused('no binding before approval', 409, () => prefixes.serviceBindings.create(p.id, { account_id, cidr: block, service_id: service.id }));
await ok('an operator approves', () => fetch(`${env.V1_URL}/prefixes/${p.id}/approve`, {
  method: 'POST',
  headers: { authorization: `Bearer ${env.OPERATOR}`, 'content-type': 'application/json' },
  body: JSON.stringify({ accept_risk: ['unverified'] }),
}), (r) => r.status === 200);
await ok('approved', () => prefixes.get(p.id, { account_id }), (v) => v.approved === 'V' && v.on_demand_enabled === true && v.on_demand_locked === false);
const b = await ok('bind', () => prefixes.serviceBindings.create(p.id, { account_id, cidr: block, service_id: service.id }), (b) => b.provisioning.state === 'active' && b.service_name === 'CDN');
await refused('bind it again is refused', 409, () => prefixes.serviceBindings.create(p.id, { account_id, cidr: block, service_id: service.id }));
await ok('bindings', () => all(prefixes.serviceBindings.list(p.id, { account_id })), (l) => l.length === 1 && l[0].id === b.id);
const [g] = await ok('the default BGP prefix is there, withdrawn', () => all(prefixes.bgpPrefixes.list(p.id, { account_id })), (l) => l.length === 1 && l[0].on_demand.advertised === false);
const on = await ok('advertise', () => prefixes.bgpPrefixes.edit(g.id, { account_id, prefix_id: p.id, on_demand: { advertised: true } }), (v) => v.on_demand.advertised === true);
await ok('advertise again moves no time', () => prefixes.bgpPrefixes.edit(g.id, { account_id, prefix_id: p.id, on_demand: { advertised: true } }),
  (v) => v.on_demand.advertised_modified_at === on.on_demand.advertised_modified_at);
await ok('an empty edit changes nothing', () => prefixes.bgpPrefixes.edit(g.id, { account_id, prefix_id: p.id }), (v) => v.on_demand.advertised === true);
await ok('prepend', () => prefixes.bgpPrefixes.edit(g.id, { account_id, prefix_id: p.id, asn_prepend_count: 3 }), (v) => v.asn_prepend_count === 3);
await ok('status', () => prefixes.advertisementStatus.get(p.id, { account_id }), (v) => v.advertised === true);
await refused('an advertised prefix is not deleted', 409, () => prefixes.delete(p.id, { account_id }));
await refused('its last binding is not removed', 409, () => prefixes.serviceBindings.delete(b.id, { account_id, prefix_id: p.id }));
const more = await ok('a more-specific', () => prefixes.bgpPrefixes.create(p.id, { account_id, cidr: specific }), (v) => v.cidr === specific);
await ok('read it', () => prefixes.bgpPrefixes.get(more.id, { account_id, prefix_id: p.id }), (v) => v.id === more.id);
await ok('delete it', () => prefixes.bgpPrefixes.delete(more.id, { account_id, prefix_id: p.id }));
await refused('an advertised BGP prefix is not deleted', 409, () => prefixes.bgpPrefixes.delete(g.id, { account_id, prefix_id: p.id }));
const d = await ok('delegate', () => prefixes.delegations.create(p.id, { account_id, cidr: specific, delegated_account_id: env.OTHER_ACCOUNT }), (v) => v.parent_prefix_id === p.id);
await ok('delegations', () => all(prefixes.delegations.list(p.id, { account_id })), (l) => l.length === 1);
await ok('take it back', () => prefixes.delegations.delete(d.id, { account_id, prefix_id: p.id }), (v) => v.id === d.id);
const pdf = Buffer.from('%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n');
const letter = await ok('upload a letter', async () => loaDocuments.create({ account_id, loa_document: await toFile(pdf, 'loa.pdf', { type: 'application/pdf' }) }), (l) => l.id && l.account_id === account_id);
const bytes = await ok('download it', async () => Buffer.from(await (await loaDocuments.get(letter.id, { account_id })).arrayBuffer()));
await ok('as it was', async () => bytes.equals(pdf), (same) => same);
await ok('withdraw', () => prefixes.advertisementStatus.edit(p.id, { account_id, advertised: false }), (v) => v.advertised === false);
await ok('unbind', () => prefixes.serviceBindings.delete(b.id, { account_id, prefix_id: p.id }));
await ok('delete', () => prefixes.delete(p.id, { account_id }));
await refused('gone', 404, () => prefixes.get(p.id, { account_id }));
await ok('not listed', () => all(prefixes.list({ account_id })), (l) => l.length === 0);
console.log(`${steps} passed, 0 failed`);
