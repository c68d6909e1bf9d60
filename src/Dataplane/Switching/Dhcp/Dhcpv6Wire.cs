namespace Dataplane.Switching.Dhcp;

/// <summary>Numbers of DHCP for IPv6 (RFC 8415).</summary>
internal static class Dhcpv6Wire
{
    public const ushort ServerPort = 547, ClientPort = 546;

    /// <summary>Kind and transaction.</summary>
    public const int FixedBytes = 4;

    /// <summary>Code and length of an option.</summary>
    public const int OptionBytes = 4;

    /// <summary>The longest identifier of a client (RFC 8415 11.1).</summary>
    public const int MostIdentifierBytes = 130;

    public static class Kind
    {
        public const byte Solicit = 1, Advertise = 2, Request = 3, Confirm = 4, Renew = 5, Rebind = 6, Reply = 7, Release = 8, Decline = 9, InformationRequest = 11;
    }

    public static class Option
    {
        public const ushort ClientIdentifier = 1, ServerIdentifier = 2, Addresses = 3, Address = 5, Status = 13, NameServers = 23, Search = 24;
    }

    public static class Status
    {
        public const ushort Success = 0, NoAddress = 2, NoBinding = 3, NotOnLink = 4;
    }
}
