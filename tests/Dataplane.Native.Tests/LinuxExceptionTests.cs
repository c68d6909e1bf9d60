using Dataplane.Native.Abi;

namespace Dataplane.Native.Tests;

public class LinuxExceptionTests
{
    [Fact]
    public void Message_RefusedPacketSocket_NamesCallInterfaceErrorAndRemedy()
    {
        var error = new LinuxException(Errno.EPERM, "socket(AF_PACKET)", "eth1");
        const string Start = "socket(AF_PACKET) for eth1 failed: EPERM (operation not permitted). Remedy: run as root or grant CAP_NET_RAW (setcap";
        Assert.StartsWith(Start, error.Message, StringComparison.Ordinal);
        Assert.Equal(Errno.EPERM, error.Errno);
        Assert.Equal("EPERM", error.ErrnoName);
        Assert.Equal("socket(AF_PACKET)", error.Call);
        Assert.Equal("eth1", error.Subject);
        Assert.Equal(Remedies.NetRaw, error.Remedy);
    }

    [Fact]
    public void Message_NothingGeneralToSay_HasNoRemedy()
    {
        var error = new LinuxException(Errno.EINVAL, "bind(AF_PACKET)");
        Assert.Equal("bind(AF_PACKET) failed: EINVAL (invalid argument).", error.Message);
        Assert.Null(error.Remedy);
    }

    [Theory]
    [InlineData(Errno.EPERM, "setns(CLONE_NEWNET)", "CAP_SYS_ADMIN")]
    [InlineData(Errno.EPERM, "ioctl(SIOCSIFFLAGS)", "CAP_NET_ADMIN")]
    [InlineData(Errno.EPERM, "ioctl(TUNSETIFF)", "CAP_NET_ADMIN")]
    [InlineData(Errno.ENODEV, "ioctl(SIOCGIFINDEX)", "ip link")]
    [InlineData(Errno.ENOENT, "open(/dev/net/tun)", "modprobe tun")]
    [InlineData(Errno.EMFILE, "eventfd", "RLIMIT_NOFILE")]
    [InlineData(Errno.ENOPROTOOPT, "setsockopt(PACKET_IGNORE_OUTGOING)", "newer kernel")]
    public void Remedy_ByCallAndError_SaysWhatToDo(int errno, string call, string part) =>
        Assert.Contains(part, new LinuxException(errno, call).Remedy, StringComparison.Ordinal);

    [Fact]
    public void NameOf_UnknownNumber_IsTheNumber() => Assert.Equal("errno 4095", Errno.NameOf(4095));
}
