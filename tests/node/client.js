// Node's end of each case: `ws` sends, closes, and reads on. `tests/node/run` runs it.
//
// A case ends with what its WebSocket has received and the code of the other end's Close: 1005 for a Close without a code, 1006
// where none came.

const {WebSocket, createWebSocketStream} = require("ws");

const url = process.argv[2];
const RUNS = 100;

const octet = (at) => Math.imul(at, 0x9e3779b1) >>> 24;
const octets = (size) => Buffer.from(Array.from({length: size}, (_, at) => octet(at)));
const LARGE = octets(3_000_000);

// Nothing, a byte, a few hundred kilobytes; now and then some megabytes.
function size(run) {
    if (run % 25 === 24) return 3_000_000;
    return [0, 1, 65_536, 300_000][run % 4];
}

function connect(path) {
    const socket = new WebSocket(url + path, {perMessageDeflate: false});
    const received = [];
    socket.on("message", (data) => received.push(data));
    const closed = new Promise((resolve, reject) => {
        // After an error `close` comes too.
        socket.on("error", () => {});
        socket.on("close", (code) => resolve({received: Buffer.concat(received), code}));
        setTimeout(() => reject(new Error("not closed in 20 s")), 20_000).unref();
    });
    return {socket, closed, open: new Promise((resolve) => socket.once("open", resolve))};
}

// Sends in pieces, closes in either way, and reads on; sometimes it begins late.
async function ask(path, bytes, run, code) {
    const {socket, closed, open} = connect(path);
    await open;
    if (run % 5 === 3) {
        socket.pause();
        setTimeout(() => socket.resume(), 20);
    }
    for (let at = 0; at < bytes.length; at += 70_000) socket.send(bytes.subarray(at, at + 70_000));
    socket.close(code);
    return closed;
}

function expect(found, bytes, code) {
    if (!found.received.equals(bytes)) throw new Error(`${found.received.length} bytes of ${bytes.length}, code ${found.code}`);
    if (found.code !== code) throw new Error(`code ${found.code}, not ${code}`);
}

async function askAndExpect(path, run, answer) {
    const bytes = LARGE.subarray(0, size(run));
    const code = run % 3 === 0 ? undefined : 1000;
    expect(await ask(`${path}?${bytes.length}`, bytes, run, code), answer(bytes), code ?? 1005);
}

const cases = {
    echo: (run) => askAndExpect("echo", run, (bytes) => bytes),
    proxy: (run) => askAndExpect("proxy", run, (bytes) => bytes),
    drain: (run) => askAndExpect("drain", run, () => Buffer.alloc(0)),
    answer: (run) => askAndExpect("answer", run, (bytes) => bytes),

    // Dropped with its last bytes just sent: only where there are few of them is it sure that the Close leaves with them.
    async "echo-and-drop"(run) {
        const bytes = LARGE.subarray(0, size(run) % 65_535);
        expect(await ask(`echo-and-drop?${bytes.length}`, bytes, run, 1000), bytes, 1000);
    },

    // `ws` as a stream of Node's.
    async stream(run) {
        const bytes = LARGE.subarray(0, size(run));
        const {socket, closed} = connect(`echo?${bytes.length}`);
        const stream = createWebSocketStream(socket);
        stream.end(bytes);
        const received = [];
        for await (const piece of stream) received.push(piece);
        expect({received: Buffer.concat(received), code: (await closed).code}, bytes, 1005);
    },

    async cut(run) {
        const bytes = LARGE.subarray(0, size(run));
        const found = await ask(`cut?${bytes.length}`, bytes, run, 1000);
        expect({received: bytes, code: found.code}, bytes, 1006);
    },

    async push(run) {
        const {socket, closed} = connect("push");
        const code = [undefined, 1000, 1001][run % 3];
        let count = 0;
        const enough = size(run % 24);
        socket.on("message", (data) => {
            if (count <= enough && count + data.length > enough) socket.close(code);
            count += data.length;
        });
        expect({received: LARGE, code: (await closed).code}, LARGE, code ?? 1005);
    },

    async gone() {
        const {socket, closed} = connect("push-into-the-void");
        socket.once("message", () => socket.terminate());
        await closed;
    },

    // The other end stops while this one sends without end.
    async stop(run) {
        const {socket, closed, open} = connect(`stop?${size(run)}`);
        await open;
        const send = () => {
            if (socket.readyState !== WebSocket.OPEN) return;
            socket.send(LARGE.subarray(0, 10_000));
            setImmediate(send);
        };
        send();
        expect(await closed, LARGE.subarray(0, size(run)), 1001);
    },
};

(async () => {
    let failed = 0;
    for (const [name, run] of Object.entries(cases)) {
        const errors = [];
        for (let first = 0; first < RUNS; first += 10) {
            const batch = Array.from({length: 10}, (_, i) => run(first + i).catch((error) => errors.push(`run ${first + i}: ${error.message}`)));
            await Promise.all(batch);
        }
        failed += errors.length > 0;
        console.log(`node: ${name}: ${errors.length === 0 ? "passed" : `failed: ${errors.length} of ${RUNS}: ${errors[0]}`}`);
    }
    const {received} = await ask("verdict", Buffer.alloc(0), 0);
    console.log(received.toString());
    process.exit(failed > 0 ? 1 : 0);
})();
