using Xunit.Abstractions;

namespace Dataplane.Tests.Conformance;

/// <summary>A case by its name, whole in the results: of a text, xunit would show the beginning.</summary>
public sealed class CaseName : IXunitSerializable
{
    private string _name = "";

    /// <summary>For xunit.</summary>
    public CaseName()
    {
    }

    internal CaseName(ConformanceCase named) => _name = named.Name;

    public void Serialize(IXunitSerializationInfo info) => info.AddValue("name", _name);

    public void Deserialize(IXunitSerializationInfo info) => _name = info.GetValue<string>("name");

    public override string ToString() => _name;
}
