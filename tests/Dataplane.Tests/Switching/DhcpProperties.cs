using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using static Dataplane.Tests.Switching.DhcpClient;
using static Dataplane.Tests.Switching.NetworkPlane;

namespace Dataplane.Tests.Switching;

/// <summary>Whatever endpoints send to the DHCP server and to the router, nothing breaks, and nobody else hears anything of it.</summary>
public sealed class DhcpProperties
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Message_Mutated_BreaksNothingAndReachesNobodyElse(int seed)
    {
        var random = new Random(seed);
        await using TestPlane plane = Create(blue => blue with { Dhcp = new(), RouterAdvertisements = new(), Search = ["example"] });
        byte[] solicitation = PacketBuilder.Ethernet(MacOf("a"), MacAddress.ForIpv6Multicast(IpAddress.Parse("ff02::2"))).Ip(AddressOf("a", 6), IpAddress.Parse("ff02::2"), 255)
            .RouterSolicitation(new RouterSolicitationFields { SourceLinkLayerAddress = MacOf("a") }).Build();
        int answers = 0;
        for (int round = 0; round < 4000; round++)
        {
            if (round % 100 == 0)
            {
                plane.Clock.Advance(TimeSpan.FromSeconds(2));
            }

            byte[] frame;
            if (round % 4 == 0)
            {
                frame = [.. solicitation];
                Damage(frame, random, 54);
                Mend(frame, 56, 54, IpProtocols.Icmpv6);
            }
            else
            {
                byte[] message = Message((byte)random.Next(1, 9), MacOf("a"), options: [Address(50, "10.89.0.2"), Option(61, new byte[random.Next(70)]), Option((byte)random.Next(256), new byte[random.Next(9)])]);
                Damage(message, random, 0, 10);
                frame = Frame("a", message[..random.Next(Math.Max(0, message.Length - (round % 3 == 0 ? 300 : 0)), message.Length + 1)]);
            }

            foreach ((string port, byte[] answer) in plane.Send("a", frame))
            {
                answers++;
                Assert.True(port == "a" || (answer[12] == 0x86 && answer[54] == 134), $"port {port} heard {Convert.ToHexString(answer)}");
            }
        }

        Assert.True(answers > 100, $"{answers} answers");
    }

    /// <summary>Some bytes become others, none as a rule at the front, where a message is only told from what is none.</summary>
    private static void Damage(byte[] bytes, Random random, int from, int rarely = 0)
    {
        for (int count = random.Next(4); count > 0; count--)
        {
            int at = random.Next(from, bytes.Length);
            bytes[at] = at < from + rarely && random.Next(8) > 0 ? bytes[at] : (byte)random.Next(256);
        }
    }

    /// <summary>Makes a checksum of ICMPv6 right, so that it is the content that is read.</summary>
    private static void Mend(byte[] frame, int checksum, int from, byte protocol)
    {
        (frame[checksum], frame[checksum + 1]) = (0, 0);
        IpAddress source = IpAddress.ReadV6(frame.AsSpan(22)), destination = IpAddress.ReadV6(frame.AsSpan(38));
        ushort sum = InternetChecksum.Compute(frame.AsSpan(from), InternetChecksum.PseudoHeader(source, destination, protocol, (uint)(frame.Length - from)));
        (frame[checksum], frame[checksum + 1]) = ((byte)(sum >> 8), (byte)sum);
    }
}
