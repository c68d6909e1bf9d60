using System.Globalization;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Ports;

/// <summary>A gateway that may not do what a port needs: no capability, too little locked memory, too few descriptors. It says what to do about it.</summary>
[Collection(AloneCollection.Name)]
public sealed class PortLimitsTests
{
    [SystemTheory("setpriv")]
    [InlineData("af_packet", "CAP_NET_RAW")]
    [InlineData("af_xdp", "CAP_BPF")]
    [InlineData("tap", "CAP_NET_ADMIN")]
    public async Task Open_WithoutPrivilege_EndsWithTheNameOfWhatIsMissing(string kind, string capability)
    {
        using NetworkNamespace home = Wires();
        using var scratch = new ScratchDirectory();
        string file = scratch.Write("gateway.yaml", Configuration($"{{ kind: {kind}, interface: {(kind == "tap" ? "t0" : "w0")} }}"));
        ProgramResult result = await ChildProgram.RunAsync(home.Name,
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", .. Programs.Dataplane, "run", file]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("EPERM", result.Error, StringComparison.Ordinal);
        Assert.Contains($"grant {capability}", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("t0", home.Execute("ip", "-br", "link"), StringComparison.Ordinal);
    }

    /// <summary>What works by sockets in the file system alone needs no privilege at all.</summary>
    [SystemTheory("setpriv")]
    [InlineData("{ kind: memif, socket: PATH, role: server }")]
    [InlineData("{ kind: stream, socket: PATH, role: server }")]
    public async Task Open_KindThatNeedsNoPrivilege_WorksWithout(string port)
    {
        using NetworkNamespace home = Wires();
        using var scratch = new ScratchDirectory();
        string file = scratch.Write("gateway.yaml", Configuration(port.Replace("PATH", scratch.PathOf("peer.sock"), StringComparison.Ordinal)));
        await using ChildProgram gateway = ChildProgram.Start(home.Name,
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", .. Programs.Dataplane, "run", file]);
        await gateway.AwaitLineAsync(line => line == "ready");
        (await gateway.TerminateAsync()).MustSucceed();
    }

    [SystemFact("setpriv", "prlimit")]
    public async Task Open_AfXdpBeyondTheLimitOfLockedMemory_EndsWithTheNameOfTheLimit()
    {
        using NetworkNamespace home = Wires();
        using var scratch = new ScratchDirectory();
        string file = scratch.Write("gateway.yaml", Configuration("{ kind: af_xdp, interface: w0 }"));
        string[] few = ["prlimit", "--memlock=65536:65536", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"];
        ProgramResult result = await ChildProgram.RunAsync(home.Name, [.. few, .. Programs.Dataplane, "run", file]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("XDP_UMEM_REG", result.Error, StringComparison.Ordinal);
        Assert.Contains("RLIMIT_MEMLOCK", result.Error, StringComparison.Ordinal);

        // Nothing of it is left behind: the next finds the interface free.
        await using ChildProgram gateway = ChildProgram.Start(home.Name, [.. Programs.Dataplane, "run", file]);
        await gateway.AwaitLineAsync(line => line == "ready");
        (await gateway.TerminateAsync()).MustSucceed();
    }

    [SystemFact("prlimit")]
    public async Task Reload_TooFewDescriptorsLeft_KeepsTheLastGoodConfigurationAndWorksOnceThereAre()
    {
        using NetworkNamespace home = Wires();
        using var scratch = new ScratchDirectory();
        string[] few = ["{ kind: af_packet, interface: w0 }"], many = [.. few, .. Enumerable.Range(0, 2).Select(i => $"{{ kind: tap, interface: t{i} }}")];
        await using GatewayProgram gateway = await GatewayProgram.StartAsync(home.Name, scratch.PathOf("gateway.yaml"), Configuration(few));
        await gateway.ReadStatusAsync();

        // Fewer than have to be left for the runtime, which would not survive without any.
        Limit(gateway.ProcessId, Descriptors(gateway.ProcessId) + DescriptorReserve.Least - 8);
        string[] said = await gateway.ReloadAsync(Configuration(many));
        Assert.Contains(said, line => line.Contains("EMFILE", StringComparison.Ordinal) && line.Contains("RLIMIT_NOFILE", StringComparison.Ordinal));
        Assert.Contains("reload rejected, keeping the last good configuration", said);
        Assert.Equal("up", (await gateway.ReadPortAsync("p0")).GetProperty("link").GetString());
        Assert.DoesNotContain("t0", home.Execute("ip", "-br", "link"), StringComparison.Ordinal);

        // A port that takes none is none of those.
        Assert.Contains(await gateway.ReloadAsync(Configuration([.. few, "{ kind: memory }"])), line => line.StartsWith("reloaded", StringComparison.Ordinal));

        Limit(gateway.ProcessId, 4096);
        Assert.Contains(await gateway.ReloadAsync(Configuration(many) + "# again\n"), line => line.StartsWith("reloaded", StringComparison.Ordinal));
        Assert.Equal(many.Length, (await gateway.ReadStatusAsync()).GetProperty("ports").GetArrayLength());
        await gateway.StopAsync();

        void Limit(int process, int number) =>
            home.Execute("prlimit", string.Create(CultureInfo.InvariantCulture, $"--pid={process}"), string.Create(CultureInfo.InvariantCulture, $"--nofile={number}:4096"));
    }

    private static int Descriptors(int process) => Directory.GetFileSystemEntries($"/proc/{process}/fd").Length;

    private static NetworkNamespace Wires()
    {
        var home = NetworkNamespace.Create("limits");
        for (int i = 0; i < 2; i++)
        {
            home.Link("add", $"w{i}", "type", "veth", "peer", "name", $"v{i}");
            home.Link("set", $"w{i}", "up");
            home.Link("set", $"v{i}", "up");
        }

        return home;
    }

    private static string Configuration(params string[] ports) => string.Concat(
        "ports:\n", string.Concat(ports.Select((port, i) => $"  p{i}: {port}\n")),
        "interfaces:\n", string.Concat(ports.Select((_, i) => $"  - {{ port: p{i}, address: 10.90.{i}.1/24 }}\n")));
}
