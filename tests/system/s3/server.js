// server.js FOLDER PORT - s3rver on 127.0.0.1 with one bucket, `vault`. Prints "up" once it listens.
const S3rver = require("s3rver");
const [folder, port] = process.argv.slice(2);
new S3rver({ address: "127.0.0.1", port: Number(port), directory: folder, silent: true, configureBuckets: [{ name: "vault" }] })
  .run()
  .then(() => console.log("up"));
