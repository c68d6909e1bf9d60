using System.Globalization;
using System.Net;

namespace Dataplane.Gateway.Demo;

/// <summary>Names and addresses of the demo's world (documentation addresses of RFC 5737 and RFC 3849, private ones behind the gateway).</summary>
internal static class DemoPlan
{
    public const string Wan = "wan";
    public const string Lan = "lan";
    public const string WanMac = "02:00:00:00:01:01";
    public const string LanMac = "02:00:00:00:02:01";
    public const string ClientMac = "02:00:00:00:01:10";
    public const string GatewayOnWan = "198.51.100.1";
    public const string GatewayOnWan6 = "2001:db8:1::1";
    public const string GatewayOnLan = "10.1.0.1";
    public const string GatewayOnLan6 = "2001:db8:2::1";
    public const string Client = "198.51.100.10";
    public const string Client6 = "2001:db8:1::10";
    public const string Guest = "198.51.100.66";
    public const string Service = "203.0.113.80";
    public const string Service6 = "2001:db8:80::80";
    public const string GuestRule = "no-guest";
    public const int WebPort = 80;
    public const int EchoPort = 7;

    /// <summary>The backends that there are at first, and the one that is added.</summary>
    public const int FirstBackends = 3, AllBackends = 4;

    /// <summary>Requests per second, and half the UDP messages: enough to see shares settle, little enough to leave the machine alone.</summary>
    public const int RequestsPerSecond = 500;

    public static string Name(int backend) => string.Create(CultureInfo.InvariantCulture, $"web{backend + 1}");

    public static string Address(int backend) => string.Create(CultureInfo.InvariantCulture, $"10.1.0.{11 + backend}");

    public static string Address6(int backend) => string.Create(CultureInfo.InvariantCulture, $"2001:db8:2::{11 + backend}");

    public static string Mac(int backend) => string.Create(CultureInfo.InvariantCulture, $"02:00:00:00:02:{11 + backend:x2}");

    /// <summary>The first backend is given twice the share of the others.</summary>
    public static int Weight(int backend) => backend == 0 ? 2 : 1;

    public static IPEndPoint Web => new(IPAddress.Parse(Service), WebPort);

    public static IPEndPoint Web6 => new(IPAddress.Parse(Service6), WebPort);

    public static IPEndPoint Echo => new(IPAddress.Parse(Service), EchoPort);

    public static IPEndPoint Echo6 => new(IPAddress.Parse(Service6), EchoPort);
}
