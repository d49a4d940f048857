// Loaded before a server that knows no address to listen on: whatever port it asks for becomes one of the loopback interface,
// and is told in one line {"port": N} on standard error.
const { Server } = require('node:net');

const { listen } = Server.prototype;
Server.prototype.listen = function onLoopback(port, ...rest) {
  this.once('listening', () => console.error(JSON.stringify({ port: this.address().port })));
  return listen.call(this, Number(port), '127.0.0.1', ...rest.filter((item) => typeof item === 'function'));
};
