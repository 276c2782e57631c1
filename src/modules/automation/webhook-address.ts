import { promises as dns, type LookupAddress } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { automationErrors } from './automation-errors.ts';

/** Ranges that are not the public internet: RFC 6890 and its successors, and IPv6 forms that wrap an IPv4 address. */
const privateRanges = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  privateRanges.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['::', 96], // unspecified, loopback, and IPv4 in the old form
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const)
  privateRanges.addSubnet(network, prefix, 'ipv6');

/** Whether an address is outside the public internet. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  // IPv4 inside IPv6 (::ffff:127.0.0.1) is matched against the IPv4 ranges by BlockList itself.
  return family === 0 || privateRanges.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;
const resolveByDns: Resolve = (host) => dns.lookup(host, { all: true, verbatim: true });

export interface AddressRules {
  /** Plain http is refused, but for hosts that the operator allows. */
  readonly secureOnly: boolean;
}

/** Says to which addresses a webhook may be sent. */
export interface WebhookAddresses {
  /** What can be said without looking a name up. WEBHOOK_URL_INVALID, WEBHOOK_ADDRESS_REFUSED. */
  check(url: string, rules: AddressRules): URL;
  /**
   * The addresses to connect to: the caller connects to these very ones, so that a name cannot be public when it is
   * checked and private when it is used. WEBHOOK_ADDRESS_REFUSED, WEBHOOK_HOST_UNKNOWN.
   */
  pin(url: string, rules: AddressRules): Promise<{ readonly url: URL; readonly addresses: readonly LookupAddress[] }>;
}

export function createWebhookAddresses(options: {
  readonly allowedHosts: readonly string[];
  /** For tests. Default: as the system resolves names. */
  readonly resolve?: Resolve;
}): WebhookAddresses {
  const { resolve = resolveByDns } = options;
  const allowed = new Set(options.allowedHosts.map((host) => host.toLowerCase()));

  function check(text: string, { secureOnly }: AddressRules): URL {
    const url = parseUrl(text);
    const host = hostOf(url);
    if (secureOnly && url.protocol !== 'https:' && !allowed.has(host))
      throw automationErrors.WEBHOOK_URL_INVALID(
        `must begin with https://; plain http:// goes only to hosts that the operator allows with --webhook-hosts ${host}`,
      );
    if (isIP(host) !== 0 && !allowed.has(host) && isPrivateAddress(host))
      throw automationErrors.WEBHOOK_ADDRESS_REFUSED(host, host);
    return url;
  }

  return {
    check,
    async pin(text, rules) {
      const url = check(text, rules);
      const host = hostOf(url);
      const family = isIP(host);
      if (family !== 0) return { url, addresses: [{ address: host, family }] };
      const addresses = await resolve(host).catch((error: unknown) => {
        throw automationErrors.WEBHOOK_HOST_UNKNOWN(host, error instanceof Error ? error.message : String(error));
      });
      const inside = allowed.has(host) ? undefined : addresses.find(({ address }) => isPrivateAddress(address));
      if (inside !== undefined) throw automationErrors.WEBHOOK_ADDRESS_REFUSED(host, inside.address);
      if (addresses.length === 0) throw automationErrors.WEBHOOK_HOST_UNKNOWN(host, 'it has no address');
      return { url, addresses };
    },
  };
}

/** Lower case; an IPv6 address without its brackets. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[(.+)\]$/, '$1').replace(/\.$/, '');

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw automationErrors.WEBHOOK_URL_INVALID(`cannot be read: ${text}`);
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw automationErrors.WEBHOOK_URL_INVALID(`must begin with https:// or http://, not ${url.protocol}//`);
  if (url.username !== '' || url.password !== '')
    throw automationErrors.WEBHOOK_URL_INVALID('must hold no user name or password; the signature proves who sends');
  return url;
}
