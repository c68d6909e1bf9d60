using System.Globalization;
using System.Security.Cryptography;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Connections that speak QUIC's headers to three servers which know nothing of each other, and change port and address in mid connection.</summary>
public sealed class ConnectionIdTests(GatewayBed bed) : GatewayTest(bed)
{
    private const int Connections = 24, IdsOfOne = 3, Port = 4433;
    private const string Key = "8f95f09245765f80256934e50c66207f", Other = "198.51.100.103", Other6 = "2001:db8:1::103";

    /// <summary>Gives each connection three connection IDs of its own, and answers packets with these only: whoever sends another is told that it is not known here.</summary>
    private const string Server = """
        import select, socket, sys
        name, port, ids = sys.argv[1].encode(), int(sys.argv[2]), [bytes.fromhex(text) for text in sys.argv[3].split(',')]
        v4, v6 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        v4.bind(('0.0.0.0', port))
        v6.bind(('::', port))
        print('listening', flush=True)
        given, known = {}, set()
        while True:
            for s in select.select([v4, v6], [], [])[0]:
                data, sender = s.recvfrom(2000)
                if data[0] & 0xB0 == 0x80:
                    chosen = data[6:6 + data[5]]
                    if chosen not in given:
                        given[chosen] = [ids.pop() for _ in range(3)]
                        known.update(given[chosen])
                    s.sendto(b'ids ' + name + b' ' + b','.join(one.hex().encode() for one in given[chosen]), sender)
                else:
                    one = data[6:6 + data[5]] if data[0] & 0x80 else data[1:18]
                    s.sendto(b'ok ' + name if one in known else b'unknown at ' + name, sender)
        """;

    /// <summary>Opens connections, and sends on each by its first port, by another port and by another address, each time with another connection ID; prints who served it.</summary>
    private const string Client = """
        import os, socket, sys
        count, server, own, other = int(sys.argv[1]), (sys.argv[2], int(sys.argv[3])), sys.argv[4], sys.argv[5]
        def open_socket(address):
            s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((address, 0))
            s.settimeout(0.5)
            return s
        def ask(s, data, answers):
            for _ in range(100):
                s.sendto(data, server)
                try:
                    while True:
                        # What was asked twice is answered twice.
                        words = s.recvfrom(2000)[0].decode().split()
                        if words[0] in answers:
                            return words
                except (socket.timeout, ConnectionRefusedError):
                    pass
            sys.exit('no answer')
        for number in range(count):
            first, chosen = open_socket(own), os.urandom(8)
            initial = bytes([0xC3, 0, 0, 0, 1, 8]) + chosen + bytes([0, 0]) + bytes(100)
            _, name, ids = ask(first, initial, ['ids'])
            ids = [bytes.fromhex(text) for text in ids.split(',')]
            handshake = bytes([0xE3, 0, 0, 0, 1, len(ids[0])]) + ids[0] + bytes(20)
            seen = [ask(first, handshake, ['ok', 'unknown'])]
            for part, s in enumerate([first, open_socket(own), open_socket(other)]):
                seen.append(ask(s, bytes([0x41]) + ids[part] + bytes(40), ['ok', 'unknown']))
            print(name, *(' '.join(words) for words in seen), sep=';')
        """;

    internal override GatewayConfiguration Configuration { get; } = new()
    {
        Workers = 2,
        More = Service("quic", GatewayConfiguration.Service, TestNetwork.Address) + Service("quic6", GatewayConfiguration.Service6, TestNetwork.Address6),
    };

    [SystemTheory("curl", "nginx", "socat", "python3")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Connection_ThatChangesPortAndAddress_StaysWithItsServer(int version)
    {
        string own = version == 4 ? TestNetwork.ClientAddress : TestNetwork.ClientAddress6, other = version == 4 ? Other : Other6;
        string port = Port.ToString(CultureInfo.InvariantCulture);
        var servers = new List<ChildProgram>();
        await TestNetwork.IpAsync(Bed.Network.Client, $"addr add {other}/{(version == 4 ? "24 dev c0" : "64 dev c0 nodad")}\n");
        try
        {
            for (int backend = 0; backend < TestNetwork.Backends; backend++)
            {
                servers.Add(ChildProgram.Start(Bed.Network.Backend(backend), "python3", "-c", Server, TestNetwork.BackendName(backend), port, Ids(backend)));
                await servers[^1].AwaitLineAsync(line => line == "listening");
            }

            ProgramResult result = await ChildProgram.RunAsync(Bed.Network.Client,
                ["python3", "-c", Client, Connections.ToString(CultureInfo.InvariantCulture), version == 4 ? GatewayConfiguration.Service : GatewayConfiguration.Service6, port, own, other]);
            string[][] connections = [.. result.MustSucceed().Lines.Select(line => line.Split(';'))];
            Assert.Equal(Connections, connections.Length);
            Assert.All(connections, connection => Assert.Equal([connection[0], .. Enumerable.Repeat($"ok {connection[0]}", 4)], connection));
            Assert.True(connections.Select(connection => connection[0]).Distinct().Count() > 1, "all connections went to one server");
        }
        finally
        {
            foreach (ChildProgram server in servers)
                await server.DisposeAsync();
            await TestNetwork.IpAsync(Bed.Network.Client, $"addr del {other}/{(version == 4 ? "24" : "64")} dev c0\n");
        }
    }

    private static string Service(string name, string address, Func<int, string> backend) => string.Create(CultureInfo.InvariantCulture, $"""
          - name: {name}
            address: "{address}"
            port: {Port}
            protocol: udp
            quic: {"{"} connection_ids: quic_lb, configs: [ {"{"} id: 1, server_id_length: 3, nonce_length: 13, key: {Key} {"}"} ] {"}"}
            backends:
        {string.Concat(Enumerable.Range(0, TestNetwork.Backends).Select(number => string.Create(CultureInfo.InvariantCulture,
            $"    - {{ address: \"{backend(number)}\", port: {Port}, server_id: 5c000{number} }}\n")))}
        """);

    /// <summary>Connection IDs of a server, encrypted in one pass (draft-ietf-quic-load-balancers-21, 5.4.1), made here since Python's library has no AES.</summary>
    private static string Ids(int backend)
    {
        using var aes = Aes.Create();
        aes.Key = Convert.FromHexString(Key);
        return string.Join(',', Enumerable.Range(0, Connections * IdsOfOne).Select(_ =>
        {
            byte[] block = [0x5C, 0, (byte)backend, .. RandomNumberGenerator.GetBytes(13)];
            return Convert.ToHexStringLower([0x30, .. aes.EncryptEcb(block, PaddingMode.None)]);
        }));
    }
}
