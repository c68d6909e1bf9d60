using System.Globalization;
using System.Security.Cryptography;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Services forwarded inside other packets, with the Linux kernel at the other end: its sockets check the outer headers and give what is inside to a TUN device.</summary>
public abstract class TunnelTests(GatewayBed bed) : GatewayTest(bed)
{
    /// <summary>Sockets that take in what the gateway sends, by family of the service.</summary>
    protected abstract string Receiver(int version);

    [SystemTheory("curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Service_InsideOtherPackets_AnswersRequestsAndUploads(int version)
    {
        var receivers = new List<ChildProgram>();
        try
        {
            for (int backend = 0; backend < TestNetwork.Backends; backend++)
                receivers.Add(await ReceiveAsync(Bed.Network.Backend(backend), version));
            string[] servers = (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "60", "-H", "Connection: close", $"http://{Service(version)}/?n=[1-40]")).MustSucceed().Lines;
            Assert.Equal(40, servers.Length);
            Assert.Equal(TestNetwork.Backends, servers.Distinct().Count());

            // The client believes in 1,500 bytes until the gateway tells it what fits inside.
            string file = Bed.NewPath("sent");
            byte[] content = new byte[500_000];
            new Random(version).NextBytes(content);
            await File.WriteAllBytesAsync(file, content);
            string name = string.Create(CultureInfo.InvariantCulture, $"tunnel-{version}");
            (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "120", "-T", file, $"http://{Service(version)}/upload/{name}")).MustSucceed();
            byte[] received = await File.ReadAllBytesAsync(Path.Combine(Path.GetDirectoryName(file)!, "upload", name));
            Assert.Equal(Convert.ToHexString(SHA256.HashData(content)), Convert.ToHexString(SHA256.HashData(received)));
        }
        finally
        {
            foreach (ChildProgram receiver in receivers)
                await receiver.DisposeAsync();
        }
    }

    /// <summary>Starts a program that moves packets between a socket and a TUN device, and waits for the device.</summary>
    internal static async Task<ChildProgram> BridgeAsync(string home, string device, params string[] command)
    {
        ChildProgram program = ChildProgram.Start(home, ["socat", .. command]);
        while (!(await ChildProgram.RunAsync(home, ["ip", "-br", "link", "show", "dev", device])).Output.Contains("LOWER_UP", StringComparison.Ordinal))
        {
            Assert.False(program.Exited.IsCompleted, string.Join('\n', program.Error));
            await Task.Delay(20);
        }

        return program;
    }

    internal static string Tun(string device) => $"TUN,tun-name={device},tun-type=tun,iff-no-pi,iff-up";

    private async Task<ChildProgram> ReceiveAsync(string home, int version)
    {
        string device = string.Create(CultureInfo.InvariantCulture, $"in{version}");
        ChildProgram program = await BridgeAsync(home, device, "-u", Receiver(version), Tun(device));
        string address = version == 4 ? $"{GatewayConfiguration.Service}/32" : $"{GatewayConfiguration.Service6}/128";
        await TestNetwork.IpAsync(home, $"addr replace {address} dev lo{(version == 6 ? " nodad" : "")}\n");

        // What is inside comes from addresses that are reached another way.
        (await ChildProgram.RunAsync(home, ["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", $"net.ipv4.conf.{device}.rp_filter=0"])).MustSucceed();
        return program;
    }
}

/// <summary>IPv4 in IPv6 and IPv6 in IPv4.</summary>
public sealed class IpipTests(GatewayBed bed) : TunnelTests(bed)
{
    internal override GatewayConfiguration Configuration { get; } = new()
    {
        Forward = "ipip",
        IsMixed = true,
        More = "encapsulation: { sources: [ 10.1.0.1, \"2001:db8:2::1\" ] }\n",
    };

    protected override string Receiver(int version) => version == 4 ? "IP6-RECV:4" : "IP4-RECV:41";
}

/// <summary>UDP around packets of the same family; and the gateway at the other end.</summary>
public sealed class GueTests(GatewayBed bed) : TunnelTests(bed)
{
    private const string Inside = "10.99.0.1";

    internal override GatewayConfiguration Configuration { get; } = new()
    {
        Forward = "gue",
        More = "encapsulation: { sources: [ 10.1.0.1, \"2001:db8:2::1\" ], decapsulate: [ { address: 198.51.100.9, from: [ 198.51.100.0/24 ] }, { address: \"2001:db8:1::9\" } ] }\n"
            + $"routes: [ {{ to: {Inside}/32, via: 10.1.0.11 }} ]\n",
    };

    protected override string Receiver(int version) => version == 4 ? "UDP4-RECV:6080" : "UDP6-RECV:6080";

    [SystemTheory("curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Gateway_TakesOutWhatTheKernelHasEnclosed(int outer)
    {
        string home = Bed.Network.Client, device = string.Create(CultureInfo.InvariantCulture, $"out{outer}");
        await TestNetwork.IpAsync(Bed.Network.Backend(0), $"addr replace {Inside}/32 dev lo\n");
        string to = outer == 4 ? "UDP4-SENDTO:198.51.100.9:6080" : "UDP6-SENDTO:[2001:db8:1::9]:6080";
        await using ChildProgram sender = await BridgeAsync(home, device, "-u", Tun(device), to);
        await TestNetwork.IpAsync(home, $"link set {device} mtu 1400\nroute replace {Inside}/32 dev {device} src {TestNetwork.ClientAddress}\n");
        string[] servers = (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "60", "-H", "Connection: close", $"http://{Inside}/?n=[1-10]")).MustSucceed().Lines;
        Assert.Equal(Enumerable.Repeat(TestNetwork.BackendName(0), 10), servers);
        string name = string.Create(CultureInfo.InvariantCulture, $"taken-out-{outer}"), file = Bed.NewPath("sent");
        byte[] content = new byte[200_000];
        new Random(outer).NextBytes(content);
        await File.WriteAllBytesAsync(file, content);
        (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "120", "-T", file, $"http://{Inside}/upload/{name}")).MustSucceed();
        Assert.Equal(content, await File.ReadAllBytesAsync(Path.Combine(Path.GetDirectoryName(file)!, "upload", name)));
    }
}
