using Dataplane.Packets;

namespace Dataplane.Tests.Packets;

public class CodePathsTests
{
    [Theory]
    [InlineData(null, CodePath.Auto)]
    [InlineData("", CodePath.Auto)]
    [InlineData("scalar", CodePath.Scalar)]
    [InlineData("v128", CodePath.V128)]
    [InlineData("v256", CodePath.V256)]
    [InlineData("v512", CodePath.V512)]
    internal void Parse_KnownValues_AreRead(string? value, CodePath expected) => Assert.Equal(expected, CodePaths.Parse(value));

    [Fact]
    public void Parse_UnknownValue_IsRefusedLoudly()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => CodePaths.Parse("avx2"));
        Assert.Contains("DATAPLANE_FORCE=avx2", error.Message, StringComparison.Ordinal);
        Assert.Equal(CodePaths.Parse(Environment.GetEnvironmentVariable(CodePaths.Variable)), CodePaths.Current);
    }
}
