using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Tests.Balancing;

public class MaglevIdentityTests
{
    /// <summary>Computed by another implementation of xxHash: gateways that run different versions must agree for ever.</summary>
    [Theory]
    [InlineData("10.1.0.11", 8443, 0x161018E19913E76E)]
    [InlineData("10.1.0.12", 8443, 0x331FCCD6DF2C605E)]
    [InlineData("2001:db8::11", 8443, 0xEE3896860EA91827)]
    public void Of_AddressAndPort_NeverChanges(string address, ushort port, ulong expected) =>
        Assert.Equal(expected, MaglevIdentity.Of(IpAddress.Parse(address), port));

    [Fact]
    public void Of_NoAddress_Throws() => Assert.Throws<ArgumentException>(() => MaglevIdentity.Of(default, 80));
}
