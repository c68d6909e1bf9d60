using System.Globalization;
using System.Numerics;
using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>Reads the values that configurations write as text; what cannot be read becomes an error, not an exception.</summary>
internal static class TextReading
{
    public static IpAddress Address(string? text, string path, List<ConfigurationError> errors)
    {
        if (!IpAddress.TryParse(text, out IpAddress address))
        {
            errors.Add(new ConfigurationError(path, AddressProblem(text ?? ""), text));
        }

        return address;
    }

    public static IpPrefix Prefix(string? text, string path, List<ConfigurationError> errors)
    {
        if (!IpPrefix.TryParse(text, out IpPrefix prefix))
        {
            errors.Add(new ConfigurationError(path, PrefixProblem(text ?? ""), text));
        }

        return prefix;
    }

    /// <summary>Reads a prefix, or an address that then stands for itself alone (/32, /128).</summary>
    public static IpPrefix PrefixOrAddress(string? text, string path, List<ConfigurationError> errors) =>
        IpAddress.TryParse(text, out IpAddress address) ? IpPrefix.Host(address) : Prefix(text, path, errors);

    /// <summary>Reads an address, or what is written with a slash as a prefix; none when it cannot be read.</summary>
    public static IpPrefix AddressOrPrefix(string? text, string path, List<ConfigurationError> errors) =>
        text?.Contains('/', StringComparison.Ordinal) == true ? Prefix(text, path, errors)
        : Address(text, path, errors) is { IsNone: false } address ? IpPrefix.Host(address) : default;

    public static MacAddress Mac(string? text, string path, List<ConfigurationError> errors)
    {
        if (!MacAddress.TryParse(text, out MacAddress mac))
        {
            errors.Add(new ConfigurationError(path, "is not a hardware address such as 02:00:00:00:00:01", text));
        }

        return mac;
    }

    public static PortRange Ports(string? text, string path, List<ConfigurationError> errors)
    {
        if (!PortRange.TryParse(text, out PortRange range))
        {
            bool hasColon = text is not null && text.Contains(':', StringComparison.Ordinal);
            string hint = hasColon ? ", with '-' between its ends" : "";
            errors.Add(new ConfigurationError(path, $"is not a port from 0 to 65535 or a range such as 8000-8080{hint}", text));
        }

        return range;
    }

    /// <summary>Reads a whole number in decimal digits. A leading zero is refused: YAML 1.1 and C read it as octal, people do not.</summary>
    public static bool TryInteger(string text, out BigInteger value)
    {
        ReadOnlySpan<char> digits = text.StartsWith('-') ? text.AsSpan(1) : text;
        value = default;
        return digits.Length is > 0 and <= 30 && (digits.Length == 1 || digits[0] != '0') && !digits.ContainsAnyExceptInRange('0', '9')
            && BigInteger.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    private static string AddressProblem(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal), percent = text.IndexOf('%', StringComparison.Ordinal);
        int colon = text.LastIndexOf(':');
        if (slash > 0 && IpAddress.TryParse(text.AsSpan(0, slash), out _))
        {
            return $"is a prefix where an address is needed: leave out \"{text[slash..]}\"";
        }

        if (percent > 0 && IpAddress.TryParse(text.AsSpan(0, percent), out _))
        {
            return "has a scope, which is not part of an address here: give the port by its name instead";
        }

        if (colon > 0 && IpAddress.TryParse(text.AsSpan(0, colon).Trim("[]"), out _))
        {
            return "has a port in it, which is a key of its own";
        }

        return "is not an IPv4 or IPv6 address such as 198.51.100.1 or 2001:db8::1";
    }

    private static string PrefixProblem(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (IpAddress.TryParse(text.AsSpan(0, slash < 0 ? text.Length : slash), out IpAddress address))
        {
            int usual = address.IsIpv4 ? 24 : 64;
            return slash >= 0 && TryMaskLength(text.AsSpan(slash + 1), address, out int length)
                ? string.Create(CultureInfo.InvariantCulture, $"has a netmask where a length is needed: write {address}/{length}")
                : string.Create(CultureInfo.InvariantCulture, $"has no prefix length from 0 to {address.BitLength}, such as {address}/{usual}");
        }

        return "is not a prefix such as 198.51.100.0/24 or 2001:db8::/32";
    }

    private static bool TryMaskLength(ReadOnlySpan<char> text, IpAddress address, out int length)
    {
        bool isMask = IpAddress.TryParse(text, out IpAddress mask) && mask.Family == address.Family;
        length = isMask ? (int)UInt128.PopCount(mask.Bits) : 0;

        // A netmask is ones and then zeros: as many ones as it has, counted from the top of the family's width.
        return isMask && new IpPrefix(mask, length).First == mask;
    }
}
