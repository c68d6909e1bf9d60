using System.Text.Json;
using Dataplane.Native.Tests;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Networks;

/// <summary>Networks across hosts with others' VXLAN at the far end.</summary>
public sealed class VxlanTests
{
    [SystemTheory("ping", "iperf3", "ip")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task KernelDevice_AtTheFarEnd_IsReachedAndReaches(int underlay)
    {
        await using VxlanBed bed = await VxlanBed.StartAsync(underlay);
        await bed.AddKernelDeviceAsync();
        await PingAsync(bed, bed.Host, 1372);

        // What the kernel has asked for by broadcast, it was told by the engine.
        string neighbours = (await ChildProgram.RunAsync(bed.Host.Name, ["ip", "neigh", "show", "dev", "vx0"])).MustSucceed().Output;
        Assert.Contains($"10.89.0.2 lladdr {NetworkBed.MacOf("web")}", neighbours, StringComparison.Ordinal);
        Assert.Contains($"fd00:89::2 lladdr {NetworkBed.MacOf("web")}", neighbours, StringComparison.Ordinal);

        // The container's link is longer than the way: its kernel sends super-frames and segments of 1,500 bytes, and is told.
        foreach (int version in new[] { 4, 6 })
        {
            await IperfAsync(bed.Host, VxlanBed.ElsewhereAddress(version), bed.Web);
            await IperfAsync(bed.Web, VxlanBed.WebAddress(version), bed.Host);
        }

        PortStatistics overlay = bed.Engine.ReadPorts().Single(port => port.Name == "vx0").Statistics;
        Assert.True(overlay.TransmittedBytes > 16_000_000 && overlay.ReceivedBytes > 16_000_000, $"{overlay.TransmittedBytes} bytes out, {overlay.ReceivedBytes} in");
        Accounting accounting = await bed.StopAsync();
        Assert.Equal(0, accounting.DroppedFor(DropReason.OverlayMalformed) + accounting.DroppedFor(DropReason.OverlayUnknownPeer) + accounting.DroppedFor(DropReason.OverlayUnknownVni));
    }

    // By the link as it is between hosts of one machine: the kernel's device takes our UDP super-frames, and we its packets with a TCP super-frame inside.
    [SystemTheory("ping", "iperf3", "ip")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task KernelDevice_AtTheFarEndOfAPair_ExchangesSuperFrames(int underlay)
    {
        await using VxlanBed bed = await VxlanBed.StartAsync(underlay, isPair: true);
        await bed.AddKernelDeviceAsync();
        await PingAsync(bed, bed.Host, 1372);
        foreach (int version in new[] { 4, 6 })
        {
            await IperfAsync(bed.Host, VxlanBed.ElsewhereAddress(version), bed.Web);
            await IperfAsync(bed.Web, VxlanBed.WebAddress(version), bed.Host);
        }

        PortStatistics overlay = Port("vx0"), link = Port("u0"), web = Port("web");
        Assert.True(overlay.TransmittedSuperFrames > 100 && link.TransmittedSuperFrames > 100, $"{overlay.TransmittedSuperFrames} into the tunnel, {link.TransmittedSuperFrames} by the link");
        Assert.True(link.ReceivedSuperFrames > 100 && web.TransmittedSuperFrames > 100, $"{link.ReceivedSuperFrames} from the link, {web.TransmittedSuperFrames} to the container");
        Accounting accounting = await bed.StopAsync();
        Assert.Equal(0, accounting.DroppedFor(DropReason.OverlayMalformed) + accounting.DroppedFor(DropReason.BadOffload));

        PortStatistics Port(string name) => bed.Engine.ReadPorts().Single(port => port.Name == name).Statistics;
    }

    [SystemFact("ping", "ip", "python3")]
    public async Task Forged_FromAContainerAndFromAStranger_IsNotLetIn()
    {
        await using VxlanBed bed = await VxlanBed.StartAsync(4);
        await bed.AddKernelDeviceAsync();
        await TestNetwork.IpAsync(bed.Web.Name, "route add default via 10.89.0.1\n");
        const string Sender = """
            import socket, sys
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            if len(sys.argv) > 2: s.bind((sys.argv[2], 0))
            for i in range(50): s.sendto(bytes([8,0,0,0,0,0,42,0]) + bytes(60), (sys.argv[1], 4789))
            """;
        (await ChildProgram.RunAsync(bed.Web.Name, ["python3", "-c", Sender, "192.0.2.2"])).MustSucceed();
        (await ChildProgram.RunAsync(bed.Web.Name, ["python3", "-c", Sender, "192.0.2.1"])).MustSucceed();
        await TestNetwork.IpAsync(bed.Host.Name, "addr add 192.0.2.77/24 dev u0\n");
        (await ChildProgram.RunAsync(bed.Host.Name, ["python3", "-c", Sender, "192.0.2.1", "192.0.2.77"])).MustSucceed();
        await PingAsync(bed, bed.Host, 56);
        Accounting accounting = await bed.StopAsync();
        Assert.Equal((100, 50), (accounting.DroppedFor(DropReason.OverlayForged), accounting.DroppedFor(DropReason.OverlayUnknownPeer)));
    }

    [SystemFact("ping", "iperf3", "ip", "ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl")]
    public async Task OpenVSwitch_AtTheFarEnd_IsReachedAndReaches()
    {
        // A datapath in user space reads its link frame by frame and takes none that is longer than its MTU.
        await using VxlanBed bed = await VxlanBed.StartAsync(4, PortOffload.Off);
        await using OpenVSwitch ovs = await OpenVSwitch.StartAsync(bed.Host.Name);

        // The datapath in user space: br-phy has the link and the host's address, br-int the container's end and the tunnel.
        await ovs.CallAsync("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev", "--", "add-port", "br-phy", "u0");
        await TestNetwork.IpAsync(bed.Host.Name, "addr flush dev u0\naddr add 192.0.2.2/24 dev br-phy\nlink set br-phy up\n");
        await ovs.CallAsync("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", $"other-config:hwaddr=\"{VxlanBed.ElsewhereMac}\"", "--", "add-port", "br-int", "vx0",
            "--", "set", "interface", "vx0", "type=vxlan", "options:remote_ip=192.0.2.1", "options:local_ip=192.0.2.2", $"options:key={VxlanBed.Vni}");
        await VxlanBed.ConfigureAsync(bed.Host, "br-int", VxlanBed.ElsewhereMac, VxlanBed.ElsewhereAddress, 1450);
        await PingAsync(bed, bed.Host, 1372);
        await IperfAsync(bed.Host, VxlanBed.ElsewhereAddress(4), bed.Web);
        await IperfAsync(bed.Web, VxlanBed.WebAddress(6), bed.Host);
        await bed.StopAsync();
    }

    private static async Task PingAsync(VxlanBed bed, NetworkNamespace far, int size)
    {
        foreach (int version in new[] { 4, 6 })
        {
            // The first may be lost while the other side sets itself up.
            string family = version == 4 ? "-4" : "-6", bytes = size.ToString(System.Globalization.CultureInfo.InvariantCulture);
            (await ChildProgram.RunAsync(bed.Web.Name, ["ping", family, "-c", "5", "-i", "0.1", "-w", "10", VxlanBed.ElsewhereAddress(version)])).MustSucceed();
            (await ChildProgram.RunAsync(far.Name, ["ping", family, "-c", "3", "-i", "0.05", "-w", "10", "-M", "do", "-s", bytes, VxlanBed.WebAddress(version)])).MustSucceed();
        }
    }

    private static async Task IperfAsync(NetworkNamespace server, string address, NetworkNamespace client)
    {
        await using var listener = ChildProgram.Start(server.Name, "iperf3", "--server", "--one-off", "--forceflush");
        await listener.AwaitLineAsync(line => line.Contains("Server listening", StringComparison.Ordinal));
        string report = (await ChildProgram.RunAsync(client.Name, ["iperf3", "--json", "--client", address, "--bytes", "16M", "--connect-timeout", "5000"])).MustSucceed().Output;
        using var json = JsonDocument.Parse(report);
        Assert.InRange(json.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bytes").GetInt64(), 8_000_000, long.MaxValue);
    }
}
