using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

/// <summary>FsCheck generators of wire values, and of bytes that look like packets.</summary>
internal static class WireGen
{
    public static Gen<byte> Byte { get; } = Gen.Choose(0, 255).Select(value => (byte)value);

    public static Gen<ushort> UInt16 { get; } = Gen.Choose(0, 65535).Select(value => (ushort)value);

    public static Gen<uint> UInt32 { get; } = from high in UInt16 from low in UInt16 select ((uint)high << 16) | low;

    public static Gen<ulong> UInt64 { get; } = from high in UInt32 from low in UInt32 select ((ulong)high << 32) | low;

    public static Gen<bool> Bool { get; } = Gen.Elements(false, true);

    public static Gen<MacAddress> Mac { get; } = UInt64.Select(bits => new MacAddress(bits & 0xFFFF_FFFF_FFFF));

    public static Gen<IpAddress> V4 { get; } = UInt32.Select(IpAddress.FromV4);

    public static Gen<IpAddress> V6 { get; } = from high in UInt64 from low in UInt64 select IpAddress.FromV6(high, low);

    public static Gen<VlanTag> Tag { get; } =
        from protocol in Gen.Elements(EtherTypes.Vlan, EtherTypes.ServiceVlan) from control in UInt16 select VlanTag.FromControl(protocol, control);

    public static Gen<byte[]> Bytes(int maxLength) => from length in Gen.Choose(0, maxLength) from bytes in Byte.ArrayOf(length) select bytes;

    public static Gen<T?> Maybe<T>(this Gen<T> values)
        where T : struct => from present in Bool from value in values select present ? value : (T?)null;

    public static void ForAll<T>(this Gen<T> values, Func<T, bool> holds, int maxTest = 300) =>
        Prop.ForAll(values.ToArbitrary(), holds).Check(Config.QuickThrowOnFailure.WithMaxTest(maxTest));
}
