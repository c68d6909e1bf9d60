using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Tests.Support;

namespace Dataplane.Gateway.Tests.Running;

public sealed class CheckTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Check_ManyErrors_TellsAllAtOnceWithFileLineValueAndRange()
    {
        string file = _folder.Write("bad.yaml", """
            ports:
              wan: { kind: afpacket, interface: eth0 }
              lan: { kind: af_packet }
            interfaces:
              - { port: wam, address: 198.51.100.1/33 }
            services:
              - { name: web, address: 203.0.113.80, port: 99999, protocol: tcp, backends: [ { address: 10.1.0.11, port: 80, weight: -1 } ] }
            zebra: 1
            """);
        Ended ended = (await TestedProgram.RunAsync("check", file)).With(ExitCode.Usage);
        Assert.Empty(ended.Output);
        Assert.Collection(ended.ErrorLines,
            line => Assert.Equal(
                $"{file}:2:16: ports.wan.kind: \"afpacket\": is not af_packet, af_xdp, tap, memif, stream, vxlan, pcap or memory; did you mean \"af_packet\"?", line),
            line => Assert.Equal($"{file}:3:8: ports.lan.interface: is missing: kind af_packet needs the name of a network interface, such as eth0", line),
            line => Assert.Equal($"{file}:5:13: interfaces[0].port: \"wam\": is not a port; the ports are wan, lan; did you mean \"wan\"?", line),
            line => Assert.StartsWith($"{file}:5:27: interfaces[0].address: \"198.51.100.1/33\": ", line, StringComparison.Ordinal),
            line => Assert.Equal($"{file}:7:47: services[0].port: \"99999\": is not a port from 1 to 65535, a range such as 8000-8100, or any", line),
            line => Assert.Equal($"{file}:7:121: services[0].backends[0].weight: \"-1\": is not a weight from 0 to 65535", line),
            line => Assert.StartsWith($"{file}:8:1: zebra: is not a key of a configuration (ports, ", line, StringComparison.Ordinal),
            line => Assert.Equal("7 errors", line));
    }

    [Fact]
    public async Task Check_GoodFile_SaysOkAndWhatIsInIt()
    {
        string file = _folder.Write("gateway.yaml", TestGateway.Yaml);
        Ended ended = (await TestedProgram.RunAsync("check", file)).With(ExitCode.Ok);
        Assert.Equal($"{file}: ok", ended.Lines[0]);
        Assert.Contains("  ports       wan (memory), lan (memory)", ended.Lines);
        Assert.Contains("  filter      2 rules, default allow", ended.Lines);
        Assert.Contains("  service     web: tcp 203.0.113.80:80 to 2 backends, maglev over 65537 slots", ended.Lines);
        Assert.Contains("  service     web6: tcp [2001:db8:80::80]:80 to 1 backend, maglev over 65537 slots", ended.Lines);
        Assert.Contains("  service     dns: udp 203.0.113.53:53 to 1 backend, round_robin", ended.Lines);
        Assert.Empty(ended.Error);
    }

    [Fact]
    public async Task Check_Print_IsAFileThatPrintsTheSame()
    {
        Ended first = (await Called.WithAsync("check", "--print", _folder.Write("gateway.yaml", TestGateway.Yaml))).With(ExitCode.Ok);
        Ended second = (await Called.WithAsync("check", "--print", _folder.Write("again.yaml", first.Output))).With(ExitCode.Ok);
        Assert.Equal(first.Output, second.Output);
        Assert.Contains("203.0.113.128/25", first.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_Json_IsReadLikeYaml()
    {
        const string Text = """{ "ports": { "wan": { "kind": "memory" } }, "interfaces": [ { "port": "wan", "address": "2001:db8::1/129" } ] }""";
        string file = _folder.Write("gateway.json", Text);
        Ended ended = (await Called.WithAsync("check", file)).With(ExitCode.Usage);
        int column = Text.IndexOf("\"2001", StringComparison.Ordinal) + 1;
        Assert.StartsWith($"{file}:1:{column}: interfaces[0].address: \"2001:db8::1/129\": ", ended.ErrorLines[0], StringComparison.Ordinal);
        Assert.Equal("1 error", ended.ErrorLines[^1]);
    }

    [Theory]
    [InlineData("missing.yaml", "missing.yaml: does not exist")]
    [InlineData("", ": is a directory; the path of a file is needed")]
    public async Task Check_NoFile_SaysSo(string name, string message)
    {
        Ended ended = (await Called.WithAsync("check", _folder[name])).With(ExitCode.Usage);
        Assert.EndsWith(message, ended.ErrorLines[0], StringComparison.Ordinal);
    }
}
