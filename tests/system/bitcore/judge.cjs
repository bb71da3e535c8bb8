// Script assets on standard input; on standard output a line for each spend: `ROW SIDE true|false REASON`.
"use strict";
const { readFileSync } = require("node:fs");
const { Script, Transaction } = require("bitcore-lib");
const Interpreter = Script.Interpreter;

const flagsOf = (names) =>
  names.split(",").reduce((all, name) => {
    const flag = Interpreter["SCRIPT_VERIFY_" + name];
    if (flag === undefined) throw new Error("no flag " + name);
    return all | flag;
  }, 0);

// value, then the script behind its CompactSize
const output = (hex) => {
  const b = Buffer.from(hex, "hex");
  const wide = b[8] === 253;
  const script = b.subarray(wide ? 11 : 9);
  if (script.length !== (wide ? b.readUInt16LE(9) : b[8])) throw new Error("an output of another form");
  return new Transaction.Output({ satoshis: Number(b.readBigUInt64LE(0)), script });
};

const judge = (entry, side) => {
  const tx = new Transaction(entry.tx);
  const spent = entry.prevouts.map(output);
  spent.forEach((o, i) => (tx.inputs[i].output = o));
  const witness = side.witness.map((hex) => Buffer.from(hex, "hex"));
  const own = spent[entry.index];
  const interpreter = new Interpreter();
  const good = interpreter.verify(new Script(Buffer.from(side.scriptSig, "hex")), own.script, tx, entry.index, flagsOf(entry.flags), witness, own.satoshis);
  return `${good} ${interpreter.errstr || "-"}`;
};

JSON.parse(readFileSync(0, "utf8")).forEach((entry, row) => {
  for (const side of ["success", "failure"]) {
    if (!entry[side]) continue;
    let said;
    try {
      said = judge(entry, entry[side]);
    } catch (e) {
      said = `throws ${e.message}`;
    }
    console.log(`${row} ${side} ${said.replace(/\s+/g, " ").slice(0, 200)}`);
  }
});
