using System.Text.RegularExpressions;
using Dataplane.Native.Tests;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>The gateway without any privilege, on TAP devices in namespaces of others that its parent has opened for it.</summary>
public sealed class HandedInTests
{
    /// <summary>Opens a device in each namespace, as a container engine does, and becomes the gateway, stripped of every capability.</summary>
    private const string Parent = """
        import ctypes, fcntl, os, struct, sys
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open('/proc/self/ns/net', os.O_RDONLY)
        for number, name in ((10, sys.argv[1]), (11, sys.argv[2])):
            there = os.open('/var/run/netns/' + name, os.O_RDONLY)
            assert libc.setns(there, 0x40000000) == 0
            tun = os.open('/dev/net/tun', os.O_RDWR)
            fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH22x', b'e0', 0x0002 | 0x1000 | 0x4000))
            os.dup2(tun, number, inheritable=True)
        assert libc.setns(home, 0x40000000) == 0
        os.execvp('setpriv', ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'] + sys.argv[3:])
        """;

    [SystemFact("python3", "setpriv", "iperf3")]
    public async Task Descriptors_OfAPrivilegedParent_CarrySuperFramesWithoutPrivilege()
    {
        using var client = NetworkNamespace.Create("client");
        using var server = NetworkNamespace.Create("server");
        using var between = NetworkNamespace.Create("between");
        string path = Path.Combine(Path.GetTempPath(), $"dataplane-{between.Name}.yaml");
        try
        {
            await File.WriteAllTextAsync(path, """
                ports: { client: { kind: tap, fd: 10 }, server: { kind: tap, fd: 11, mtu: 1500 } }
                interfaces: [ { port: client, address: 10.91.0.1/24 }, { port: server, address: 10.92.0.1/24 } ]
                """);
            await using ChildProgram gateway = ChildProgram.Start(between.Name,
                ["python3", "-c", Parent, client.Name, server.Name, .. Programs.Dataplane, "run", path, "--status", "200"]);
            await gateway.AwaitLineAsync(line => line == "ready");
            foreach ((NetworkNamespace home, int net) in new[] { (client, 91), (server, 92) })
            {
                home.Link("set", "e0", "up");
                home.Address("e0", $"10.{net}.0.2/24");
                home.Execute("ip", "route", "add", "default", "via", $"10.{net}.0.1");
            }

            await using var listener = ChildProgram.Start(server.Name, "iperf3", "--server", "--one-off", "--forceflush");
            await listener.AwaitLineAsync(line => line.Contains("Server listening", StringComparison.Ordinal));
            (await ChildProgram.RunAsync(client.Name, ["iperf3", "--client", "10.92.0.2", "--bytes", "50M"])).MustSucceed();
            await gateway.AwaitLineAsync(line => Regex.IsMatch(line, "\"transmitted_super_frames\":[0-9]{3,}"));
            ProgramResult result = (await gateway.TerminateAsync()).MustSucceed();
            Assert.DoesNotContain("consumed_segmented", result.Output, StringComparison.Ordinal);
            Assert.Contains("\"description\":\"offload: checksums, TCP and UDP super-frames\"", result.Output, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
