export { compress } from './compress.ts'
export { listenHttp } from './node.ts'
export { sendHttp } from './send.ts'
export { httpTransport } from './transport.ts'
