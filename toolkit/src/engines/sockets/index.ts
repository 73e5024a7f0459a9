export { wireTransport } from './transport.ts'
export type { WireTransportOptions } from './transport.ts'
