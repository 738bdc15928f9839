// Loaded before kinesis-local. Its servers name no address and so listen on every interface: name 127.0.0.1 for them.
// And end with the process that started us, however that one ends.
"use strict";

const net = require("node:net");

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  if (first !== null && typeof first === "object" && first.port !== undefined) {
    return listen.call(this, { ...first, host: "127.0.0.1" }, ...rest);
  }
  if (typeof first === "number" || /^\d+$/.test(first)) {
    const others = typeof rest[0] === "string" ? rest.slice(1) : rest;
    return listen.call(this, Number(first), "127.0.0.1", ...others);
  }
  return listen.call(this, first, ...rest);
};

const starter = Number(process.env.STARTER);
setInterval(() => {
  if (process.ppid !== starter) process.exit(0);
}, 500).unref();
