export { dnsDirectory } from './directory.ts'
export type { DnsDirectoryOptions } from './directory.ts'
