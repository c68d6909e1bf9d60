using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Commands;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Gateway.Tests.Commands;

public class HexTextTests
{
    [Theory]
    [InlineData("0a1b", "0A1B")]
    [InlineData("0x0A1B", "0A1B")]
    [InlineData(" 0X0a1b\n", "0A1B")]
    [InlineData("0a:1b-2c.3d,4e 5f\t60\n61", "0A1B2C3D4E5F6061")]
    [InlineData("0 a 1 b", "0A1B")]
    public void Read_ManyWaysToWrite_AreTheSameBytes(string text, string bytes) => Assert.Equal(bytes, Convert.ToHexString(HexText.Read(text)));

    [Theory]
    [InlineData("zz", "--hex: 'z' is not a hexadecimal digit; ")]
    [InlineData("00 0x11", "--hex: 'x' is not a hexadecimal digit; ")]
    [InlineData("١٢", "--hex: '١' is not a hexadecimal digit; ")]
    [InlineData("123", "--hex: 3 hexadecimal digits are not whole bytes; ")]
    [InlineData("1", "--hex: 1 hexadecimal digit is not whole bytes; ")]
    [InlineData("", "--hex: there is no hexadecimal digit; ")]
    [InlineData(" : ", "--hex: there is no hexadecimal digit; ")]
    [InlineData("0x", "--hex: there is no hexadecimal digit; ")]
    public void Read_SomethingElse_SaysWhat(string text, string start) =>
        Assert.StartsWith(start, Assert.Throws<UsageException>(() => HexText.Read(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Read_AnyBytesWrittenInAnyWay_AreReadBack() => Prop.ForAll(
        ArbMap.Default.GeneratorFor<byte[]>().Where(bytes => bytes.Length > 0)
            .Zip(Gen.Elements("", " ", ":", "-", ".", "\n", ", ")).Zip(ArbMap.Default.GeneratorFor<bool>()).ToArbitrary(),
        made =>
        {
            ((byte[] bytes, string separator), bool upper) = made;
            Assert.Equal(bytes, HexText.Read(string.Join(separator, bytes.Select(one => upper ? $"{one:X2}" : $"{one:x2}"))));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void Read_LongerThanTheStackTakes_IsRead()
    {
        byte[] bytes = new byte[65_536];
        new Random(1).NextBytes(bytes);
        Assert.Equal(bytes, HexText.Read(Convert.ToHexString(bytes)));
    }

    [Fact]
    public void Read_AnyText_IsBytesOrAUsageException() => Prop.ForAll<NonNull<string>>(text =>
    {
        try
        {
            Assert.NotEmpty(HexText.Read(text.Get));
        }
        catch (UsageException wrong)
        {
            Assert.StartsWith("--hex: ", wrong.Message, StringComparison.Ordinal);
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
}
