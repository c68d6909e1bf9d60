using Dataplane.Ports;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Streams;

/// <summary>Far ends that are none of ours.</summary>
public sealed class StreamPeerTests(StreamNetwork network) : IClassFixture<StreamNetwork>
{
    private static string Peer => Path.Combine(AppContext.BaseDirectory, "Streams", "peer.py");

    [SystemFact("python3")]
    public async Task Port_PeerInPythonOverAUnixSocket_IsUnderstoodBothWays()
    {
        string socket = network.NewPath("peer.sock");
        await using GatewayProgram gateway = await GatewayProgram.StartAsync(network["gw1"], network.NewPath("gw1.yaml"),
            StreamNetwork.Gateway(1, $"role: server, socket: {socket}"));
        for (int round = 0; round < 2; round++)
        {
            await gateway.AwaitPortAsync("far", port => port.GetProperty("link").GetString() == "down");
            ProgramResult peer = await ChildProgram.RunAsync(network["gw1"], ["python3", Peer, socket]);
            Assert.Equal(["192 echoes"], peer.MustSucceed().Lines);
        }

        await gateway.StopAsync();
    }

    [SystemFact("python3")]
    public async Task Port_PeerInPythonOverTls_IsUnderstoodAndAStrangerNot()
    {
        StreamTls own = network.Certificates.Make("gw1", "python.test"), peers = network.Certificates.Make("python", "gw1.test");
        StreamTls strangers = network.Certificates.Make("stranger", "gw1.test", isStranger: true);
        string stream = $"role: server, endpoint: \"[::]:7003\", tls: {{ certificate: {own.Certificate}, key: {own.Key}, ca: {own.Ca}, peer: {own.Peer} }}";
        await using GatewayProgram gateway = await GatewayProgram.StartAsync(network["gw1"], network.NewPath("gw1.yaml"), StreamNetwork.Gateway(1, stream));
        foreach ((StreamTls shown, string counter) in new[]
        {
            (new StreamTls { Certificate = "-", Key = "-", Ca = own.Ca }, "certificate_missing"),
            (strangers, "certificate_untrusted"),
        })
        {
            ProgramResult refused = await RunPeerAsync("[2001:db8:f::1]:7003", shown);
            Assert.Equal((1, "TLSv1.3\n"), (refused.ExitCode, refused.Output));
            await gateway.AwaitPortAsync("far", port => port.GetProperty("events").TryGetProperty(counter, out _));
        }

        foreach (string address in new[] { "192.0.2.1:7003", "[2001:db8:f::1]:7003" })
        {
            await gateway.AwaitPortAsync("far", port => port.GetProperty("link").GetString() == "down");
            Assert.Equal(["TLSv1.3", "192 echoes"], (await RunPeerAsync(address, peers)).MustSucceed().Lines);
        }

        await gateway.StopAsync();

        Task<ProgramResult> RunPeerAsync(string address, StreamTls tls) =>
            ChildProgram.RunAsync(network["gw2"], ["python3", Peer, address, tls.Certificate, tls.Key, tls.Ca, "gw1.test"]);
    }

    /// <summary>passt, in the namespace of gateway 2, carries on in sockets of its own what the engine in the namespace of gateway 1 sends it.</summary>
    [SystemFact("passt", "python3", "curl", "ping")]
    public async Task Port_PasstAsTheFarEnd_CarriesTcpOutToAServer()
    {
        string socket = network.NewPath("passt.sock");
        await TestNetwork.IpAsync(network["gw2"], "route add default via 192.0.2.1\nroute add ::/0 via 2001:db8:f::1\n");
        await using var passt = ChildProgram.Start(network["gw2"], "passt", "--foreground", "--stderr", "--one-off", "--runas", "0", "--socket", socket,
            "--address", "10.9.0.1", "--netmask", "24", "--gateway", "10.9.0.2", "--address", "2001:db8:9::1", "--gateway", "2001:db8:9::2");
        await passt.AwaitLineAsync(line => line.Contains("UNIX domain socket bound", StringComparison.Ordinal));

        // The server is beyond passt's own network, where only passt's sockets lead.
        await File.WriteAllTextAsync(Path.Combine(network.Folder, "hello"), "through passt\n");
        await using var web = ChildProgram.Start(network["gw1"], "python3", "-u", "-m", "http.server", "--bind", "::", "--directory", network.Folder, "8080");
        await web.AwaitLineAsync(line => line.StartsWith("Serving HTTP", StringComparison.Ordinal));
        string yaml = StreamNetwork.Gateway(1, $"socket: {socket}").Replace("routes:", "routes:\n  - { to: 0.0.0.0/0, via: 10.9.0.2 }\n"
            + "  - { to: \"::/0\", via: \"2001:db8:9::2\" }", StringComparison.Ordinal);
        await using (GatewayProgram gateway = await GatewayProgram.StartAsync(network["gw1"], network.NewPath("gw1.yaml"), yaml))
        {
            await gateway.AwaitPortAsync("far", port => port.GetProperty("link").GetString() == "up");
            foreach (string host in new[] { "192.0.2.1", "[2001:db8:f::1]" })
            {
                ProgramResult got = await ChildProgram.RunAsync(network["west"], ["curl", "-sS", "--fail", "--max-time", "100", $"http://{host}:8080/hello"]);
                Assert.Equal("through passt\n", got.MustSucceed().Output);
            }

            await gateway.StopAsync();
        }

        // With its only client gone, passt ends: the end of the stream was understood.
        Assert.Equal(0, (await passt.EndAsync()).ExitCode);
    }
}
