using Dataplane.Native.Tests;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>The program on AF_XDP ports: however it ends, nothing of it stays on the interface; and it says what it lacks.</summary>
public sealed class AfXdpProgramTests : IDisposable
{
    private readonly NetworkNamespace? _home;
    private readonly string _file = Path.GetTempFileName();

    public AfXdpProgramTests()
    {
        if (Privileges.Missing is not null)
            return;
        _home = NetworkNamespace.Create("xdp");
        _home.Link("add", "x0", "type", "veth", "peer", "name", "x1");
        _home.Link("set", "x0", "up");
        _home.Link("set", "x1", "up");
        File.WriteAllText(_file, """
            ports: { wan: { kind: af_xdp, interface: x0, leave: [ { protocol: tcp, to_port: 22 } ] } }
            interfaces: [ { port: wan, address: 192.0.2.1/24 } ]
            """);
    }

    [SystemTheory]
    [InlineData("KILL")]
    [InlineData("TERM")]
    public async Task Run_EndedBySignal_LeavesNoProgramOnTheInterface(string signal)
    {
        await using var program = ChildProgram.Start(_home!.Name, [.. Programs.Dataplane, "run", _file]);
        await program.AwaitLineAsync(line => line == "ready");
        Assert.Contains("prog/xdp", Show(), StringComparison.Ordinal);
        await program.TerminateAsync(signal);
        Assert.DoesNotContain("prog/xdp", Show(), StringComparison.Ordinal);
    }

    [SystemFact]
    public async Task Run_InterfaceDeleted_GoesOnAndEndsInOrder()
    {
        await using var program = ChildProgram.Start(_home!.Name, [.. Programs.Dataplane, "run", _file]);
        await program.AwaitLineAsync(line => line == "ready");
        await using var flood = ChildProgram.Start(_home.Name, "ping", "-f", "-I", "x1", "-c", "100000", "192.0.2.1");
        await Task.Delay(300);
        _home.Link("del", "x0");
        await Task.Delay(300);
        Assert.False(program.Exited.IsCompleted);
        (await program.TerminateAsync()).MustSucceed();
    }

    [SystemFact("setpriv")]
    public async Task Run_WithoutThePrivilege_NamesTheRemedy()
    {
        ProgramResult result = await ChildProgram.RunAsync(_home!.Name,
            ["setpriv", "--bounding-set=-net_admin,-sys_admin,-cap_39", .. Programs.Dataplane, "run", _file]);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("for x0 failed: EPERM", result.Error, StringComparison.Ordinal);
        Assert.Contains("grant CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW", result.Error, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _home?.Dispose();
        File.Delete(_file);
    }

    private string Show() => _home!.Execute("ip", "link", "show", "x0");
}
