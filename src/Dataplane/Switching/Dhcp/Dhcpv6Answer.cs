using System.Buffers.Binary;
using Dataplane.Packets;

namespace Dataplane.Switching.Dhcp;

/// <summary>Writes an answer, or, into nothing, finds how long it would be.</summary>
internal ref struct Dhcpv6Answer(Span<byte> target)
{
    /// <summary>With what the rest of a message has at most they keep it below 1,280 bytes, which pass every link (RFC 8200 5).</summary>
    public const int MostAddresses = 8, MostForeign = 4, MostAssociations = 4;

    private readonly Span<byte> _target = target;
    private int _foreign;
    private int _associations;

    /// <summary>Bytes so far.</summary>
    public int Length { get; private set; }

    /// <summary>Writes the whole message.</summary>
    public void Write(scoped in Dhcpv6Request request, Dhcpv6Offer offer, scoped ReadOnlySpan<IpAddress> own, byte kind)
    {
        Byte(kind);
        Bytes(request.Transaction);
        if (request.Client.Length > 0)
        {
            Option(Dhcpv6Wire.Option.ClientIdentifier, request.Client);
        }

        Option(Dhcpv6Wire.Option.ServerIdentifier, offer.Server);
        switch (request.Kind)
        {
            case Dhcpv6Wire.Kind.Release or Dhcpv6Wire.Kind.Decline:
                // The address is the endpoint's whether it wants it or not.
                Status(Dhcpv6Wire.Status.Success);
                return;
            case Dhcpv6Wire.Kind.Confirm:
                Status(IsConfirmed(in request, own) ? Dhcpv6Wire.Status.Success : Dhcpv6Wire.Status.NotOnLink);
                return;
            default:
                break;
        }

        scoped ReadOnlySpan<byte> rest = request.Options;
        while (_associations < MostAssociations && Dhcpv6Request.TryTake(ref rest, out ushort code, out ReadOnlySpan<byte> value))
        {
            if (code == Dhcpv6Wire.Option.Addresses)
            {
                Association(value, own, offer.LeaseSeconds, isKnown: request.Kind is Dhcpv6Wire.Kind.Renew or Dhcpv6Wire.Kind.Rebind);
            }
        }

        Bytes(offer.Options);
    }

    /// <summary>Whether all addresses that a client names are its own; one that names none is told nothing (RFC 8415 18.3.3).</summary>
    private static bool IsConfirmed(in Dhcpv6Request request, ReadOnlySpan<IpAddress> own)
    {
        scoped ReadOnlySpan<byte> rest = request.Options;
        while (Dhcpv6Request.TryTake(ref rest, out ushort code, out ReadOnlySpan<byte> value))
        {
            ReadOnlySpan<byte> association = code == Dhcpv6Wire.Option.Addresses ? Dhcpv6Request.AssociationOptions(value) : default;
            while (Dhcpv6Request.TryTakeAddress(ref association, out ReadOnlySpan<byte> address))
            {
                if (own.IndexOf(IpAddress.ReadV6(address)) < 0)
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>The endpoint's addresses are in its first association; it has no more for others. What it names that is not its own it may use no longer (RFC 8415 18.3.4).</summary>
    private void Association(scoped ReadOnlySpan<byte> asked, scoped ReadOnlySpan<IpAddress> own, uint leaseSeconds, bool isKnown)
    {
        int start = Length;
        bool hasAddresses = _associations++ == 0 && own.Length > 0;
        Number16(Dhcpv6Wire.Option.Addresses);
        Number16(0);
        Bytes(asked[..4]);
        Number32(hasAddresses ? leaseSeconds / 2 : 0);
        Number32(hasAddresses ? (uint)(leaseSeconds * 4UL / 5) : 0);
        for (int i = 0; hasAddresses && i < Math.Min(own.Length, MostAddresses); i++)
        {
            Address(own[i], leaseSeconds);
        }

        scoped ReadOnlySpan<byte> rest = Dhcpv6Request.AssociationOptions(asked);
        while (isKnown && _foreign < MostForeign && Dhcpv6Request.TryTakeAddress(ref rest, out ReadOnlySpan<byte> address))
        {
            if (own.IndexOf(IpAddress.ReadV6(address)) < 0)
            {
                _foreign++;
                Address(IpAddress.ReadV6(address), 0);
            }
        }

        if (!hasAddresses)
        {
            Status(isKnown ? Dhcpv6Wire.Status.NoBinding : Dhcpv6Wire.Status.NoAddress);
        }

        if (_target.Length > 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(_target[(start + 2)..], (ushort)(Length - start - Dhcpv6Wire.OptionBytes));
        }
    }

    private void Address(IpAddress address, uint leaseSeconds)
    {
        Number16(Dhcpv6Wire.Option.Address);
        Number16(24);
        Number32((uint)(address.High >> 32));
        Number32((uint)address.High);
        Number32((uint)(address.Low >> 32));
        Number32((uint)address.Low);
        Number32(leaseSeconds);
        Number32(leaseSeconds);
    }

    private void Status(ushort code)
    {
        Number16(Dhcpv6Wire.Option.Status);
        Number16(sizeof(ushort));
        Number16(code);
    }

    private void Option(ushort code, scoped ReadOnlySpan<byte> value)
    {
        Number16(code);
        Number16((ushort)value.Length);
        Bytes(value);
    }

    private void Byte(byte value)
    {
        if (_target.Length > 0)
        {
            _target[Length] = value;
        }

        Length++;
    }

    private void Number16(ushort value)
    {
        if (_target.Length > 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(_target[Length..], value);
        }

        Length += sizeof(ushort);
    }

    private void Number32(uint value)
    {
        if (_target.Length > 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(_target[Length..], value);
        }

        Length += sizeof(uint);
    }

    private void Bytes(scoped ReadOnlySpan<byte> bytes)
    {
        if (_target.Length > 0)
        {
            bytes.CopyTo(_target[Length..]);
        }

        Length += bytes.Length;
    }
}
