export { listenHttp } from './node.ts'
