using Dataplane.Native.Abi;
using Dataplane.Native.Tests.Packets;

namespace Dataplane.Native.Tests;

public class TapDeviceTests
{
    [PrivilegedFact]
    public void ReadAndWrite_AgainstAPacketSocketOnTheDevice_PassWholeFramesBothWays()
    {
        using var home = NetworkNamespace.Create("tap");
        using TapDevice tap = Open(home);
        using var rx = AfPacketReceiver.Open(tap.Interface.Name, new AfPacketReceiveOptions { NetworkNamespace = home.Name });
        using var tx = AfPacketTransmitter.Open(tap.Interface.Name, new AfPacketTransmitOptions { NetworkNamespace = home.Name });

        int[] offsets = new int[8], lengths = new int[8];
        using var wake = new EventDescriptor();
        using var poller = new Poller([rx.Descriptor, tap.Descriptor], wake);
        foreach (int length in (int[])[60, 61, 1000, 1514])
        {
            byte[] frame = Frames.Numbered(length, length);
            Assert.True(tap.TryWrite(frame));
            Wait(poller, 0);
            Assert.Equal(1, rx.Receive(offsets, lengths));
            Assert.Equal(frame, rx.Region.Span.Slice(offsets[0], lengths[0]).ToArray());
            rx.ReleaseReceived();

            Assert.True(tx.TryReserve(length, out Span<byte> slot));
            frame.CopyTo(slot);
            tx.Submit();
            Assert.Equal(TransmitResult.Done, tx.Kick());
            Wait(poller, 1);
            byte[] buffer = new byte[2000];
            Assert.Equal(frame, buffer[..ReadNumbered(tap, buffer)]);
        }

        Assert.Equal(0, tap.Read(new byte[2000]));
    }

    [PrivilegedFact]
    public void Open_WithOptions_SetsAddressMtuAndState()
    {
        using var home = NetworkNamespace.Create("tap");
        using TapDevice tap = Open(home, new TapOptions { HardwareAddress = 0x02_00_00_00_00_42, MtuBytes = 1400 });
        NetworkInterfaceInfo? info = NetworkInterfaceInfo.TryRead(tap.Interface.Name, home.Name);
        Assert.Equal(info, tap.Interface);
        Assert.Equal((0x0200_0000_0042ul, 1400, true), (info!.HardwareAddress, info.MtuBytes, info.IsUp));
        Assert.Equal(InterfaceState.Up, tap.State);
        Assert.Matches("^dptap[0-9]+$", tap.Interface.Name);
        Assert.Null(NetworkInterfaceInfo.TryRead("nothere0", home.Name));
    }

    [PrivilegedFact]
    public void Dispose_NotPersistent_TakesTheInterfaceAway()
    {
        using var home = NetworkNamespace.Create("tap");
        TapDevice gone = Open(home);
        TapDevice kept = Open(home, new TapOptions { Persist = true });
        gone.Dispose();
        gone.Dispose();
        kept.Dispose();
        Assert.Null(NetworkInterfaceInfo.TryRead(gone.Interface.Name, home.Name));
        Assert.NotNull(NetworkInterfaceInfo.TryRead(kept.Interface.Name, home.Name));
        Assert.Equal(InterfaceState.Gone, gone.RefreshState());
        using TapDevice again = TapDevice.Open(kept.Interface.Name, new TapOptions { NetworkNamespace = home.Name });
        Assert.Equal(kept.Interface.Index, again.Interface.Index);
    }

    [PrivilegedFact]
    public void State_DownAndDeletedWhileOpen_IsReportedAndNothingThrows()
    {
        using var home = NetworkNamespace.Create("tap");
        using TapDevice tap = Open(home);
        home.Link("set", tap.Interface.Name, "down");
        Assert.False(tap.TryWrite(Frames.Numbered(1, 60)));
        Assert.Equal(InterfaceState.Down, tap.State);
        home.Link("set", tap.Interface.Name, "up");
        Assert.Equal(InterfaceState.Up, tap.RefreshState());
        Assert.True(tap.TryWrite(Frames.Numbered(1, 60)));

        home.Link("del", tap.Interface.Name);
        Assert.False(tap.TryWrite(Frames.Numbered(1, 60)));
        Assert.Equal(InterfaceState.Gone, tap.State);
        Assert.Equal(0, tap.Read(new byte[2000]));
        Assert.Equal(InterfaceState.Gone, tap.RefreshState());
    }

    [PrivilegedFact]
    public void Open_TakenByAnother_SaysSo()
    {
        using var home = NetworkNamespace.Create("tap");
        using TapDevice tap = Open(home);
        var error = Assert.Throws<LinuxException>(() => TapDevice.Open(tap.Interface.Name, new TapOptions { NetworkNamespace = home.Name }));
        Assert.Contains("failed: EBUSY (device or resource busy). Remedy: end the process", error.Message, StringComparison.Ordinal);
        Assert.Equal(("ioctl(TUNSETIFF)", tap.Interface.Name), (error.Call, error.Subject));
        Assert.Throws<ArgumentException>(() => TapDevice.Open("a-name-of-more-than-fifteen"));
    }

    [PrivilegedFact]
    public void Open_WithOffload_SaysWhatWasGrantedAndPutsAHeaderBeforeFrames()
    {
        using var home = NetworkNamespace.Create("tap");
        using TapDevice tap = Open(home, new TapOptions { Offload = true });
        Assert.Equal((10, FrameOffloads.Checksum | FrameOffloads.Tcp, ""), (tap.HeaderBytes, tap.Offloads & ~FrameOffloads.Udp, tap.Offloads.HasFlag(FrameOffloads.Udp) ? tap.OffloadNote : ""));
        using var rx = AfPacketReceiver.Open(tap.Interface.Name, new AfPacketReceiveOptions { NetworkNamespace = home.Name });
        byte[] frame = Frames.Numbered(5, 100);
        Assert.True(tap.TryWrite([.. new byte[10], .. frame]));
        using var wake = new EventDescriptor();
        using var poller = new Poller([rx.Descriptor], wake);
        Wait(poller, 0);
        int[] offsets = new int[8], lengths = new int[8];
        Assert.Equal(1, rx.Receive(offsets, lengths));
        Assert.Equal(frame, rx.Region.Span.Slice(offsets[0], lengths[0]).ToArray());

        // A segment kind that there is not, and a checksum beyond the frame.
        Assert.False(tap.TryWrite([0, 9, .. new byte[8], .. frame]));
        Assert.False(tap.TryWrite([1, 0, 0, 0, 0, 0, 0xFF, 0x0F, 6, 0, .. frame]));
        Assert.Equal(InterfaceState.Up, tap.State);
    }

    [Fact]
    public void Negotiate_DriverWithoutHeader_SaysSo()
    {
        using var other = new EventDescriptor();
        int fd = other.Descriptor.Number;
        Assert.False(TapOffload.IsKnown(fd));
        Assert.Equal(new TapOffload(0, FrameOffloads.None, "the kernel's tun driver has no offload header (IFF_VNET_HDR)"), TapOffload.Negotiate(fd, Tun.IFF_TAP, wanted: true));
        Assert.Equal(new TapOffload(0, FrameOffloads.None, ""), TapOffload.Negotiate(fd, Tun.IFF_TAP, wanted: false));
        Assert.Throws<LinuxException>(() => TapOffload.Negotiate(fd, Tun.IFF_VNET_HDR, wanted: true));
    }

    [PrivilegedFact]
    public void FromDescriptor_OfADeviceInAnotherNamespace_PassesFramesAndKnowsItsState()
    {
        using var home = NetworkNamespace.Create("tap");
        using TapDevice owner = Open(home, new TapOptions { Offload = true });
        using TapDevice tap = TapDevice.FromDescriptor(Duplicate(owner.Descriptor.Number), new TapOptions { Offload = true, MtuBytes = 1400 });
        Assert.Equal((owner.Interface.Name, owner.Interface.HardwareAddress, 1400, 10, owner.Offloads, InterfaceState.Up),
            (tap.Interface.Name, tap.Interface.HardwareAddress, tap.Interface.MtuBytes, tap.HeaderBytes, tap.Offloads, tap.RefreshState()));
        byte[] frame = [.. new byte[10], .. Frames.Numbered(1, 60)];
        Assert.True(tap.TryWrite(frame));
        home.Link("set", tap.Interface.Name, "down");
        Assert.False(tap.TryWrite(frame));
        Assert.Equal(InterfaceState.Down, tap.RefreshState());
        home.Link("set", tap.Interface.Name, "up");
        Assert.True(tap.TryWrite(frame));
        Assert.Equal(InterfaceState.Up, tap.RefreshState());
        home.Link("del", tap.Interface.Name);
        Assert.False(tap.TryWrite(frame));
        Assert.Equal(InterfaceState.Gone, tap.RefreshState());
    }

    [PrivilegedFact]
    public void FromDescriptor_MadeWithoutHeader_WorksWithoutOffloadAndSaysWhy()
    {
        using var home = NetworkNamespace.Create("tap");
        using TapDevice owner = Open(home);
        using TapDevice tap = TapDevice.FromDescriptor(Duplicate(owner.Descriptor.Number), new TapOptions { Offload = true });
        Assert.Equal((0, FrameOffloads.None, "the descriptor was made without an offload header (IFF_VNET_HDR)"), (tap.HeaderBytes, tap.Offloads, tap.OffloadNote));
        Assert.True(tap.TryWrite(Frames.Numbered(1, 60)));
    }

    [Fact]
    public void FromDescriptor_OfNoDevice_NamesCallAndRemedy()
    {
        using var other = new EventDescriptor();
        var error = Assert.Throws<LinuxException>(() => TapDevice.FromDescriptor(other.Descriptor.Number));
        Assert.Equal("ioctl(TUNGETIFF)", error.Call);
        Assert.Contains("keep it open across exec", error.Message, StringComparison.Ordinal);
        Assert.Throws<LinuxException>(() => TapDevice.FromDescriptor(1_000_000));
    }

    [PrivilegedFact]
    public void OpenAndDispose_ManyTimes_LeavesNoDescriptor()
    {
        using var home = NetworkNamespace.Create("tap");
        Open(home).Dispose();
        int before = ProcessResources.DescriptorCount();
        for (int i = 0; i < 50; i++)
            Open(home).Dispose();
        Assert.InRange(ProcessResources.DescriptorCount(), 0, before + 5);
    }

    private static TapDevice Open(NetworkNamespace home, TapOptions? options = null) =>
        TapDevice.Open("dptap%d", (options ?? new TapOptions()) with { NetworkNamespace = home.Name });

    private static int Duplicate(int descriptor)
    {
        const int F_DUPFD = 0;
        int duplicate = Libc.Fcntl(descriptor, F_DUPFD, 3);
        Assert.InRange(duplicate, 3, int.MaxValue);
        return duplicate;
    }

    // The kernel sends a little of its own on a fresh interface (multicast reports).
    private static int ReadNumbered(TapDevice tap, byte[] buffer)
    {
        for (int length; (length = tap.Read(buffer)) > 0;)
        {
            if (Frames.IsNumbered(buffer.AsSpan(0, length)))
                return length;
        }

        return 0;
    }

    private static void Wait(Poller poller, int index)
    {
        do
            poller.Wait(10_000_000_000);
        while (!poller.IsReadable(index));
    }
}
