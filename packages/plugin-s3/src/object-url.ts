/** The URL of a stored object, in the styles of the contract. Owns no state. */

/** `path` and `virtual` are plain addresses; `presigned` may be read by whoever has it, until it expires. */
export type UrlStyle = 'path' | 'virtual' | 'presigned';

export interface UrlOptions {
  readonly style: 'path' | 'virtual';
  readonly region: string;
  /** Of a service that is not AWS's own. */
  readonly endpoint?: string | undefined;
  /** Whether that service wants the bucket in the path; it has no address for `virtual` then. */
  readonly forcePathStyle: boolean;
}

/**
 * `https://s3.{region}.amazonaws.com/{bucket}/{key}` or `https://{bucket}.s3.{region}.amazonaws.com/{key}`; with an
 * endpoint the same below the endpoint. The key is percent-encoded, `/` stays.
 */
export function objectUrl(
  { style, region, endpoint, forcePathStyle }: UrlOptions,
  bucket: string,
  key: string,
): string {
  const path = encodeKey(key);
  const { protocol, host, prefix } = placeOf(region, endpoint);
  const inPath = style === 'path' || (endpoint !== undefined && forcePathStyle);
  return inPath
    ? `${protocol}//${host}${prefix}/${encodeURIComponent(bucket)}/${path}`
    : `${protocol}//${bucket}.${host}${prefix}/${path}`;
}

/** Each component as RFC 3986 has it: everything but letters, digits and `-._~` is encoded, `+` and `%` too. */
export function encodeKey(key: string): string {
  const hexadecimal = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  const encode = (name: string) => encodeURIComponent(name).replace(/[!'()*]/g, hexadecimal);
  return key.split('/').map(encode).join('/');
}

function placeOf(region: string, endpoint: string | undefined) {
  // China has a domain of its own.
  const own = `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const { protocol, host, pathname } = new URL(endpoint ?? own);
  return { protocol, host, prefix: pathname.replace(/\/+$/, '') };
}
